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

/// The decoded text and its map, character by character.
class Decoded {
 public:
  explicit Decoded(uint64_t bytes) { text_.reserve(bytes + bytes / 8); }
  void append(char32_t character, uint64_t source_bytes) {
    const size_t before = text_.size();
    append_utf8(text_, character);
    source_.append(text_.size() - before, source_bytes, character == '\n' ? 1 : 0);
  }
  void skip(uint64_t source_bytes) { source_.append(0, source_bytes); }
  DecodedText take(std::string note) { return {std::move(text_), std::move(note), std::move(source_)}; }

 private:
  std::string text_;
  SourceMap source_;
};

DecodedText from_windows_1252(std::string_view bytes) {
  Decoded decoded(bytes.size());
  for (const char byte : bytes) decoded.append(windows_1252_character(static_cast<unsigned char>(byte)), 1);
  return decoded.take("not UTF-8: read as Windows-1252");
}

uint32_t read_unit(std::string_view bytes, size_t at, size_t width, bool big_endian) {
  uint32_t unit = 0;
  for (size_t i = 0; i < width; ++i)
    unit = unit << 8 | static_cast<unsigned char>(bytes[at + (big_endian ? i : width - 1 - i)]);
  return unit;
}

bool is_surrogate(uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDFFF;
}

/// Unpaired surrogates and an odd last byte become U+FFFD.
DecodedText from_utf16(std::string_view bytes, bool big_endian) {
  Decoded decoded(bytes.size());
  decoded.skip(2);
  for (size_t at = 2; at + 1 < bytes.size(); at += 2) {
    const uint32_t high = read_unit(bytes, at, 2, big_endian);
    if (!is_surrogate(high)) {
      decoded.append(high, 2);
      continue;
    }
    const uint32_t low = at + 3 < bytes.size() ? read_unit(bytes, at + 2, 2, big_endian) : 0;
    const bool paired = high < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF;
    decoded.append(paired ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : kReplacement, paired ? 4 : 2);
    if (paired) at += 2;
  }
  if (bytes.size() % 2 != 0) decoded.append(kReplacement, 1);
  return decoded.take("read as UTF-16");
}

/// What is no character and the last bytes of a file cut short become U+FFFD.
DecodedText from_utf32(std::string_view bytes, bool big_endian) {
  Decoded decoded(bytes.size() / 4);
  decoded.skip(4);
  size_t at = 4;
  for (; at + 3 < bytes.size(); at += 4) {
    const uint32_t unit = read_unit(bytes, at, 4, big_endian);
    decoded.append(is_surrogate(unit) || unit > 0x10FFFF ? kReplacement : unit, 4);
  }
  if (at < bytes.size()) decoded.append(kReplacement, bytes.size() - at);
  return decoded.take("read as UTF-32");
}

DecodedText from_damaged_utf8(std::string_view bytes) {
  Decoded decoded(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    decoded.append(point.value, point.num_bytes);
    at += point.num_bytes;
  }
  return decoded.take("damaged UTF-8: bad bytes replaced");
}

/// Damaged UTF-8 has many well-formed sequences and few ill-formed bytes; Latin-1 has the reverse.
bool is_damaged_utf8(std::string_view bytes) {
  size_t replaced = 0, multibyte = 0;
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    replaced += point.value == kReplacement;
    multibyte += point.num_bytes > 1 || point.value == kReplacement;
    at += point.num_bytes;
  }
  return multibyte > replaced && (multibyte - replaced) > 10 * replaced;
}

}  // namespace

DecodedText decode_text(std::string bytes) {
  using std::string_view_literals::operator""sv;
  if (bytes.starts_with("\xFF\xFE\0\0"sv)) return from_utf32(bytes, false);
  if (bytes.starts_with("\0\0\xFE\xFF"sv)) return from_utf32(bytes, true);
  if (bytes.starts_with("\xFF\xFE")) return from_utf16(bytes, false);
  if (bytes.starts_with("\xFE\xFF")) return from_utf16(bytes, true);
  if (const size_t zero = bytes.find('\0'); zero != std::string::npos)
    throw Error(Code::bad_input, fmt::format("binary data (a NUL byte at offset {})", zero));
  if (is_valid_utf8(bytes)) return {std::move(bytes), "", std::nullopt};
  return is_damaged_utf8(bytes) ? from_damaged_utf8(bytes) : from_windows_1252(bytes);
}

char32_t windows_1252_character(char32_t code) {
  return code >= 0x80 && code < 0xA0 ? kWindows1252[code - 0x80u] : code;
}

std::string_view without_mark(std::string_view text) {
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

}  // namespace frugal
