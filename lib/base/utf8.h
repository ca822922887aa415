// UTF-8, one code point at a time. Ill-formed input is never an error here: each maximal subpart of an ill-formed
// sequence reads as U+FFFD, as Unicode 15 §3.9 recommends and as Rust and Python do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
  char32_t value = kReplacement;
  uint32_t num_bytes = 1;   // consumed from the text
  bool well_formed = true;  // false: value is U+FFFD in place of the bytes
};

/// decode_utf8() for a lead byte that is not ASCII.
CodePoint decode_multibyte(std::string_view text, size_t at);

/// The code point that starts at byte `at` < text.size().
inline CodePoint decode_utf8(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1, true};
  return decode_multibyte(text, at);
}

/// The code point that ends at byte `end` > 0 of well-formed text.
CodePoint decode_utf8_before(std::string_view text, size_t end);

/// Appends a code point in UTF-8.
void append_utf8(std::string& out, char32_t value);

/// `text` with each maximal ill-formed subpart replaced by U+FFFD.
std::string repair_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

}  // namespace frugal
