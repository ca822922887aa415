// Parses laws that are cited by kind and number: "Lei nº 8.078, de 11 de setembro de 1990". A building block of
// find_provisions(), LawTable and the chunker; other code calls those.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/text/words.h"

namespace frugal {

struct LawNumber {
  std::string normal;  // "lei/8078/1990"; "lei/8078" without a year
  size_t words = 0;    // number of words that it covers
};

/// The law number that begins at words[at]; nullopt if none does. words: split_words(text).
std::optional<LawNumber> read_law_number(std::string_view text, const std::vector<Word>& words, size_t at);

}  // namespace frugal
