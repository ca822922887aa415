// Reads tables of laws from YAML: configs/references/*.yaml and the user's own. It checks the form of the file only;
// rag/law/provision.h builds the table and checks the laws.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace frugal {

struct LawEntry {
  std::string id;
  std::string title;
  std::vector<std::string> names;    // short names, like "LGPD"
  std::vector<std::string> numbers;  // official numbers, like "13.709/2018"
  std::string place;                 // "file:line", for messages
};

/// Reads `laws: [{id, title, names, numbers}, …]`. Throws Error(io) if the file cannot be read, Error(bad_input) if it
/// is too large, and Error(usage) naming file and line for invalid YAML, an unknown key, or a law without id or title.
std::vector<LawEntry> read_law_file(const std::filesystem::path& path);

}  // namespace frugal
