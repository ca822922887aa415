// Questions about text that need no decoding: ASCII classes, white space, and where UTF-8 characters begin. Not
// Unicode: utf8.h decodes, rag/text folds and splits words.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// True for '0' to '9', as a byte or a code point.
constexpr bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
/// True if `text` has at least one digit and nothing else.
bool is_digits(std::string_view text);

/// 'a' for 'A'; any other byte as it is.
constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// True for a UTF-8 continuation byte: a text must not be cut before it.
constexpr bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// The first `max_bytes` of a UTF-8 text, fewer where a character would be cut.
std::string_view first_bytes(std::string_view text, size_t max_bytes);

/// `text` without spaces, tabs and line breaks at its ends.
std::string_view trim(std::string_view text);

/// `text` with each run of white space (space, tab, line breaks) replaced by one space, and none at its ends.
std::string collapse_spaces(std::string_view text);

}  // namespace frugal
