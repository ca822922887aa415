// Lengths of summaries: users count words, models tokens.
#pragma once

#include <cstdint>
#include <string_view>

namespace frugal {

/// The words of a text, as people count them: with at least one letter or digit.
int64_t count_words(std::string_view text);

/// The tokens that a summary of `text`, which has `text_tokens`, takes if it has so many words, or as many as the text
/// if that has fewer. With some to spare: a summary that is cut loses its last sentence.
int64_t tokens_for_words(int64_t words, std::string_view text, int64_t text_tokens);

}  // namespace frugal
