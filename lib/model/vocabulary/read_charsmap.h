// Reads SentencePiece's precompiled_charsmap; model/tokenize/charsmap.h says how it is applied. Internal to the
// builders of tokenizers.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace frugal {

/// The keys that can match: none begins with another.
struct Charsmap {
  std::vector<std::pair<char32_t, std::string>> characters;
  std::vector<std::pair<std::string, std::string>> sequences;  // keys of several characters, sorted
};
/// content: {bytes of the trie, trie, texts that end with NUL}. Throws Error(bad_input) if an offset leads outside, a
/// node is reached twice, or a key or a text is not UTF-8.
Charsmap read_charsmap(std::string_view content);
/// The same in base64.
Charsmap read_base64_charsmap(std::string_view base64);

}  // namespace frugal
