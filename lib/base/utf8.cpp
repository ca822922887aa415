#include "base/utf8.h"

#include "base/ascii.h"
namespace frugal {

namespace {

// Length of the sequence that `lead` opens and the bounds of its second byte (Unicode 15, table 3-7).
struct LeadByte {
  uint32_t num_bytes;
  unsigned char second_min, second_max;
};

LeadByte classify(unsigned char lead) {
  if (lead < 0xC2 || lead > 0xF4) return {1, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};  // no surrogates
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {4, 0x80, 0xBF};
}

}  // namespace

CodePoint decode_multibyte(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const LeadByte shape = classify(lead);
  if (shape.num_bytes == 1) return {kReplacement, 1, false};
  char32_t value = lead & (0x7F >> shape.num_bytes);
  for (uint32_t i = 1; i < shape.num_bytes; ++i) {
    if (at + i >= text.size()) return {kReplacement, i, false};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const bool fits = i == 1 ? byte >= shape.second_min && byte <= shape.second_max : is_continuation(text[at + i]);
    if (!fits) return {kReplacement, i, false};
    value = value << 6 | (byte & 0x3F);
  }
  return {value, shape.num_bytes, true};
}

CodePoint decode_utf8_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && is_continuation(text[begin])) --begin;
  return decode_utf8(text, begin);
}

void append_utf8(std::string& out, char32_t value) {
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xC0 | value >> 6);
    out += static_cast<char>(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    out += static_cast<char>(0xE0 | value >> 12);
    out += static_cast<char>(0x80 | (value >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (value & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | value >> 18);
    out += static_cast<char>(0x80 | (value >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (value >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (value & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.well_formed) return false;
    at += point.num_bytes;
  }
  return true;
}

std::string repair_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string repaired;
  repaired.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (point.well_formed)
      repaired.append(text.substr(at, point.num_bytes));
    else
      append_utf8(repaired, kReplacement);
    at += point.num_bytes;
  }
  return repaired;
}

}  // namespace frugal
