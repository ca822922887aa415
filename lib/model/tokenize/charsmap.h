// The replacements of SentencePiece's precompiled_charsmap, as Hugging Face's tokenizers apply them: a grapheme cluster
// of up to 5 bytes is replaced as a whole by the replacement of the shortest key that it begins with, even if the key
// is only its first character; in longer clusters each character is replaced alone. Longer keys never match.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "model/tokenize/code_point_map.h"
#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

/// The longest grapheme cluster that is replaced as a whole.
constexpr size_t kMaxReplacedGrapheme = 5;

/// Applies a charsmap that is in a blob.
class GraphemeMap {
 public:
  explicit GraphemeMap(const TokenizerTables& tables) : tables_(tables), characters_(tables) {}

  /// UTF-8 in place of `c`, perhaps empty; nullopt: `c` stays.
  std::optional<std::string_view> find(char32_t c) const { return characters_.find(c); }
  /// UTF-8 in place of a whole cluster of up to kMaxReplacedGrapheme bytes.
  std::optional<std::string_view> find_grapheme(std::string_view grapheme) const;

 private:
  std::optional<std::string_view> find_sequence(std::string_view key) const;

  const TokenizerTables& tables_;
  CodePointMap characters_;
};

}  // namespace frugal
