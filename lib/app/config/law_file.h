// Tables of laws as YAML: configs/references/*.yaml and the user's own. Values only; rag/law/provision.h makes use of
// them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace frugal {

struct LawEntry {
  std::string id;
  std::string title;
  std::vector<std::string> names;
  std::vector<std::string> numbers;
  std::string place;  // "file:line", for errors about what it holds
};

/// Reads `laws: [{id, title, names, numbers}, …]`. Throws Error(bad_input) or Error(usage) that names file and line:
/// not there, not YAML, an unknown key, a law without id or title.
std::vector<LawEntry> read_law_file(const std::filesystem::path& path);

}  // namespace frugal
