// The replacements of SentencePiece's precompiled_charsmap, as Hugging Face's tokenizers apply them: a grapheme cluster
// of up to 5 bytes is replaced as a whole by the replacement of the shortest key that it begins with, even if the key
// is only its first character; in longer clusters each character is replaced alone. Longer keys never match.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenize/code_point_map.h"
#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

/// The longest grapheme cluster that is replaced as a whole.
constexpr size_t kMaxReplacedGrapheme = 5;

/// The keys that can match: none begins with another.
struct Charsmap {
  std::vector<std::pair<char32_t, std::string>> characters;
  std::vector<std::pair<std::string, std::string>> sequences;  // keys of several characters, sorted
};
/// Reads a precompiled_charsmap in base64: {bytes of the trie, trie, texts that end with NUL}. Throws Error(bad_input)
/// if an offset leads outside, a node is reached twice, or a key or a text is not UTF-8.
Charsmap read_charsmap(std::string_view base64);

/// Applies a Charsmap that is in a blob.
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
