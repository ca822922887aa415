#include "rag/text/plain_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/utf8.h"

namespace frugal {
namespace {

constexpr unsigned char kEscape = 0x1B;

// Bytes of the ECMA-48 sequence that starts with the ESC at the start of `text`. A control sequence has parameters and
// one final byte; an OSC or another string ends with BEL or ST.
size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 1;
  const char kind = text[1];
  if (kind == '[') {
    size_t i = 2;
    while (i < text.size() && text[i] >= 0x20 && text[i] <= 0x3F) ++i;
    return std::min(i + 1, text.size());
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    // An unterminated string must not swallow the document: then only its introducer is removed.
    constexpr size_t kMaxStringBytes = 4096;
    for (size_t i = 2; i < std::min(text.size(), kMaxStringBytes); ++i) {
      if (text[i] == '\a') return i + 1;
      if (static_cast<unsigned char>(text[i]) == kEscape && i + 1 < text.size() && text[i + 1] == '\\') return i + 2;
    }
    return 2;
  }
  return 2;
}

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
};

// The first character of valid UTF-8.
Character decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) < 0xE0) return {(byte(0) & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (byte(0) < 0xF0) return {(byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

bool is_unsafe(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 12> kRanges{{
      {0x00, 0x08},
      {0x0B, 0x1F},      // C0 but tab and line feed
      {0x7F, 0x9F},      // DEL and C1
      {0x061C, 0x061C},  // Arabic letter mark
      {0x180E, 0x180E},  // Mongolian vowel separator
      {0x200B, 0x200B},
      {0x200E, 0x200F},  // zero-width space; left-to-right and right-to-left marks
      {0x202A, 0x202E},
      {0x2060, 0x206F},    // bidirectional embeddings and isolates, invisible operators
      {0xFEFF, 0xFEFF},    // byte-order mark
      {0xFFF9, 0xFFFB},    // interlinear annotation
      {0xE0000, 0xE007F},  // tags: text that no reader sees
  }};
  return std::any_of(kRanges.begin(), kRanges.end(), [c](const auto& r) { return c >= r.first && c <= r.second; });
}

}  // namespace

std::string plain_text(std::string_view text) {
  const std::string valid = repair_utf8(text);
  std::string out;
  out.reserve(valid.size());
  for (std::string_view rest = valid; !rest.empty();) {
    if (static_cast<unsigned char>(rest[0]) == kEscape) {
      rest.remove_prefix(escape_length(rest));
      continue;
    }
    const Character c = decode(rest);
    if (!is_unsafe(c.code)) out.append(rest.substr(0, c.bytes));
    rest.remove_prefix(c.bytes);
  }
  // The end of an escape sequence may lie inside a character.
  return repair_utf8(out);
}

}  // namespace frugal
