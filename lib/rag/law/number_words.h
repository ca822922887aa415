// Numbers that are written in words, as laws are cited in speech: "artigo cento e vinte e um", "artigo vigésimo
// quinto", "Article twenty-one". Portuguese and English, up to 999,999. A building block of find_provisions().
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace frugal {

struct SpelledNumber {
  int value = 0;     // at least 1
  size_t words = 0;  // number of words that it covers
};

/// The longest number that the words spell from words[at] on; nullopt if none begins there. words: folded.
/// "vinte e um" is 21, "dezoito e dezenove" is 18: after 18 no smaller part can follow.
std::optional<SpelledNumber> read_spelled_number(std::span<const std::string> words, size_t at);

}  // namespace frugal
