// Laws cited by kind and number, read from the words of a text: "Lei nº 8.078, de 11 de setembro de 1990".
// Internal to the reading of references; users of the library go through LawTable and find_provisions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/text/words.h"

namespace frugal {

struct LawNumber {
  std::string normal;  // "lei/8078/1990"; "lei/8078" where no year is given
  size_t words = 0;    // words of the text that it covers
};

/// The law number that begins at words[at], if one does. `words` are split_words(text).
std::optional<LawNumber> read_law_number(std::string_view text, const std::vector<Word>& words, size_t at);

}  // namespace frugal
