// A normalisation that replaces single code points by strings, as two levels of tables that are read in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

constexpr uint32_t kCodePointBlock = 128;  // code points of a block of the second level
constexpr uint32_t kCodePointBlocks = 0x110000 / kCodePointBlock;
constexpr size_t kMaxReplacementBytes = 255;

class CodePointMap {
 public:
  explicit CodePointMap(const TokenizerTables& tables) : tables_(tables) {}

  /// UTF-8 in place of `c`, perhaps empty; nullopt: `c` stays.
  std::optional<std::string_view> find(char32_t c) const {
    const uint16_t block = tables_.map_blocks()[c / kCodePointBlock];
    if (block == 0) return std::nullopt;
    const uint32_t value = tables_.map_values()[(block - 1U) * kCodePointBlock + c % kCodePointBlock];
    if (value == 0) return std::nullopt;
    return tables_.map_text(value >> 8, value & 0xFF);
  }

 private:
  const TokenizerTables& tables_;
};

/// The tables of a CodePointMap.
struct CodePointTables {
  std::vector<uint16_t> blocks;  // for each block of code points, 1 + its place in `values`; 0: none is replaced
  std::vector<uint32_t> values;  // offset into `text` << 8 | bytes; 0: not replaced
  std::vector<char> text;
};
/// Throws Error(bad_input) for a replacement longer than kMaxReplacementBytes, or too many of them.
CodePointTables build_code_point_tables(const std::vector<std::pair<char32_t, std::string>>& replacements);

}  // namespace frugal
