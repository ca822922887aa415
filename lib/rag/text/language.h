// Which language a text is in, and its function words. English and Portuguese; no model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace frugal {

enum class Language : uint8_t { unknown = 0, english = 1, portuguese = 2 };
constexpr size_t kLanguages = 3;                // `unknown` included: what a table by language is sized by
std::string_view to_string(Language language);  // "en", "pt", "unknown"

/// By function words and letters typical of each language; unknown where neither prevails. Linear, no model.
Language detect_language(std::string_view text);

/// Function words of a language, folded.
bool is_stop_word(std::string_view folded, Language language);

}  // namespace frugal
