// The language of a text, and the function words of each language. English and Portuguese; no model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "rag/text/words.h"

namespace frugal {

enum class Language : uint8_t { unknown = 0, english = 1, portuguese = 2 };
constexpr size_t kLanguages = 3;                // `unknown` included: the size of a table by language
std::string_view to_string(Language language);  // "en", "pt", "unknown"

/// Decides by function words and typical letters; unknown where neither language prevails. Linear, no model.
Language detect_language(std::string_view text);
/// The same where the words of the text are known. words: split_words(text).
Language detect_language(std::string_view text, const std::vector<Word>& words);

/// True if `folded` is a function word of the language.
bool is_stop_word(std::string_view folded, Language language);

}  // namespace frugal
