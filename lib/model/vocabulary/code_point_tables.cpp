#include "model/vocabulary/code_point_tables.h"

#include <fmt/format.h>

#include "model/tokenize/code_point_map.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {

CodePointTables build_code_point_tables(const std::vector<std::pair<char32_t, std::string>>& replacements) {
  CodePointTables tables;
  tables.blocks.resize(kCodePointBlocks);
  tables.text = {'\0'};  // no replacement is at offset 0, which says that there is none
  for (const auto& [from, to] : replacements) {
    if (to.size() > kMaxReplacementBytes || tables.text.size() >= (1U << 24))
      throw malformed("normalizer",
                      fmt::format("the replacement of U+{:04X} has {} bytes", static_cast<uint32_t>(from), to.size()));
    uint16_t& block = tables.blocks.at(from / kCodePointBlock);
    if (block == 0) {
      tables.values.resize(tables.values.size() + kCodePointBlock);
      block = static_cast<uint16_t>(tables.values.size() / kCodePointBlock);
    }
    tables.values[(block - 1U) * kCodePointBlock + from % kCodePointBlock] =
        static_cast<uint32_t>(tables.text.size() << 8 | to.size());
    tables.text.insert(tables.text.end(), to.begin(), to.end());
  }
  return tables;
}

}  // namespace frugal
