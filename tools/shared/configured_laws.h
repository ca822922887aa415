// The laws that the tools know by name: the project's tables, then the user's, who may redefine them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "app/config/law_file.h"
#include "app/config/paths.h"
#include "base/error.h"
#include "rag/law/provision.h"

namespace frugal {

/// Throws Error(bad_input | usage) that names file and line.
inline LawTable configured_laws(const Config& config) {
  std::vector<std::filesystem::path> files = reference_files();
  std::string_view more = config.references.paths;
  while (!more.empty()) {
    const size_t end = std::min(more.find(':'), more.size());
    if (end > 0) files.push_back(expand_home(std::string(more.substr(0, end))));
    more.remove_prefix(std::min(end + 1, more.size()));
  }
  LawTable laws;
  for (const std::filesystem::path& file : files) {
    for (const LawEntry& law : read_law_file(file)) {
      try {
        laws.add({law.id, law.title, law.names, law.numbers});
      } catch (Error& error) {
        throw error.within(law.place);
      }
    }
  }
  return laws;
}

}  // namespace frugal
