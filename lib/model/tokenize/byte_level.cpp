#include "model/tokenize/byte_level.h"

#include <array>

#include "base/utf8.h"

namespace frugal {

namespace {

constexpr bool is_printable(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

// Printable bytes map to themselves, the others to U+0100 and up, in order.
struct Alphabet {
  std::array<char32_t, 256> char_of{};
  std::array<int16_t, 512> byte_of{};  // −1: not in the alphabet

  constexpr Alphabet() {
    for (int16_t& byte : byte_of) byte = -1;
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      char_of[byte] = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
      byte_of[char_of[byte]] = static_cast<int16_t>(byte);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const CodePoint point = decode_utf8(token, at);
    if (point.value >= kAlphabet.byte_of.size() || kAlphabet.byte_of[point.value] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte_of[point.value]);
    at += point.num_bytes;
  }
  return bytes;
}

std::string to_byte_level(unsigned char byte) {
  std::string character;
  append_utf8(character, kAlphabet.char_of[byte]);
  return character;
}

}  // namespace frugal
