// Builds the tables of a CodePointMap (model/tokenize/code_point_map.h). Internal to the builders of tokenizers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace frugal {

/// The tables of a CodePointMap.
struct CodePointTables {
  std::vector<uint16_t> blocks;  // for each block of code points, 1 + its place in `values`; 0: none is replaced
  std::vector<uint32_t> values;  // offset into `text` << 8 | bytes; 0: not replaced
  std::vector<char> text;
};
/// Throws Error(bad_input) for a replacement longer than kMaxReplacementBytes, or too many of them.
CodePointTables build_code_point_tables(const std::vector<std::pair<char32_t, std::string>>& replacements);

}  // namespace frugal
