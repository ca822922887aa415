#include "app/wiring/known_laws.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/law_file.h"
#include "app/config/paths.h"
#include "base/error.h"

namespace frugal {

LawTable known_laws(const Settings& settings) {
  std::vector<std::filesystem::path> files = reference_files();
  std::string_view more = settings.law_files;
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
