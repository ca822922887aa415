// Whether a statement says the opposite of what a text says. Words only: the word behind a negation, and words with an
// antonym.
#pragma once

#include <string_view>

#include "rag/text/language.h"

namespace frugal {

/// True if `statement` negates a word that `sentence` states or that `passage`, which contains the sentence, never
/// negates; if it states a word that the sentence negates; or if each of them has a word with an antonym ("allowed",
/// "antes") that the other lacks. Errs towards true.
bool negates(std::string_view statement, std::string_view sentence, std::string_view passage, Language language);

}  // namespace frugal
