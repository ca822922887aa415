#include "rag/extract/encoding.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "base/error.h"
#include "base/utf8.h"

namespace frugal {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";

// Windows-1252 where it differs from Latin-1: 0x80 to 0x9F (WHATWG Encoding Standard, index windows-1252).
constexpr std::array<char16_t, 32> kWindows1252 = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                                   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

void append_code_point(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string from_windows_1252(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 8);
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    append_code_point(text, c >= 0x80 && c < 0xA0 ? kWindows1252[c - 0x80u] : c);
  }
  return text;
}

/// Unpaired surrogates and an odd last byte become U+FFFD.
std::string from_utf16(std::string_view bytes, bool big_endian) {
  const auto unit = [&](size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]), second = static_cast<unsigned char>(bytes[at + 1]);
    return static_cast<uint32_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  std::string text;
  for (size_t at = 2; at + 1 < bytes.size(); at += 2) {
    const uint32_t high = unit(at);
    if (high < 0xD800 || high > 0xDFFF) {
      append_code_point(text, high);
      continue;
    }
    const uint32_t low = at + 3 < bytes.size() ? unit(at + 2) : 0;
    const bool paired = high < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF;
    append_code_point(text, paired ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD);
    if (paired) at += 2;
  }
  if (bytes.size() % 2 != 0) append_code_point(text, 0xFFFD);
  return text;
}

/// Damaged UTF-8 has many well-formed sequences and few ill-formed bytes; Latin-1 has the reverse.
bool is_damaged_utf8(std::string_view bytes, std::string_view repaired) {
  size_t replaced = 0, multibyte = 0;
  for (size_t at = 0; at < repaired.size(); ++at) {
    if (repaired.substr(at).starts_with("\xEF\xBF\xBD")) ++replaced;
    if ((static_cast<unsigned char>(repaired[at]) & 0xC0) == 0xC0) ++multibyte;
  }
  return bytes.size() > 0 && multibyte > replaced && (multibyte - replaced) > 10 * replaced;
}

}  // namespace

DecodedText decode_text(std::string bytes) {
  if (bytes.starts_with("\xFF\xFE")) return {from_utf16(bytes, false), "read as UTF-16"};
  if (bytes.starts_with("\xFE\xFF")) return {from_utf16(bytes, true), "read as UTF-16"};
  if (const size_t zero = bytes.find('\0'); zero != std::string::npos)
    throw Error(Code::bad_input, fmt::format("binary data (a NUL byte at offset {})", zero));
  if (is_valid_utf8(bytes)) return {std::move(bytes), ""};
  std::string repaired = repair_utf8(bytes);
  if (is_damaged_utf8(bytes, repaired)) return {std::move(repaired), "damaged UTF-8: bad bytes replaced"};
  return {from_windows_1252(bytes), "not UTF-8: read as Windows-1252"};
}

std::string_view without_mark(std::string_view text) {
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

}  // namespace frugal
