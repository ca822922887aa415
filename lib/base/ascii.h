// Bytes and characters of text that are told apart without decoding it: ASCII, and where UTF-8 characters begin.
// Not Unicode: folding, classes of characters and repair are in text/.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// Of a byte or a code point: 0 to 9 only.
constexpr bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}
/// At least one digit, and nothing else.
bool is_digits(std::string_view text);

/// Of UTF-8: a byte that continues a character, so that no text may be cut before it.
constexpr bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// Without the spaces, tabs and line breaks at its ends.
std::string_view trim(std::string_view text);

/// The text with its white space (space, tab, line breaks) made single, and none at its ends.
std::string collapse_spaces(std::string_view text);

}  // namespace frugal
