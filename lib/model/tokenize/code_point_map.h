// A normalisation that replaces single code points by strings, as two levels of tables that are read in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

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

}  // namespace frugal
