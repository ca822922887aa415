#include "model/unicode/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <span>

namespace frugal::unicode {

namespace {

struct CodePointRange {
  char32_t first, last;
};
struct LowercaseMapping {
  char32_t from, first, second;
};

#include "model/unicode/unicode_differences.inc"

bool in_ranges(std::span<const CodePointRange> sorted, char32_t c) {
  if (c < sorted.front().first) return false;
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), c,
                                      [](char32_t value, const CodePointRange& range) { return value < range.first; });
  return after != sorted.begin() && c <= std::prev(after)->last;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}
bool is_category(char32_t c, utf8proc_category_t first, utf8proc_category_t last) {
  const auto found = category(c);
  return found >= first && found <= last;
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_letter(char32_t c) {
  return is_category(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO) != in_ranges(kLetterToggles, c);
}

bool is_number(char32_t c) {
  return is_category(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO) != in_ranges(kNumberToggles, c);
}

bool is_numeric(char32_t c) {
  return is_category(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO) != in_ranges(kNumericToggles, c);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
  return is_category(c, UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO) != in_ranges(kPunctuationToggles, c);
}

bool is_removed(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  const auto found = category(c);
  const bool control =
      found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF || found == UTF8PROC_CATEGORY_CO || c == 0xFFFD;
  return control != in_ranges(kRemovedToggles, c);
}

// The tokenizers library's ranges; its fifth begins where the last third of CJK Extension E does.
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

bool is_mark(char32_t c) {
  return c >= 0x300 && (category(c) == UTF8PROC_CATEGORY_MN) != in_ranges(kMarkToggles, c);
}

Lowercase to_lower(char32_t c) {
  const auto found =
      std::lower_bound(kLowercase.begin(), kLowercase.end(), c,
                       [](const LowercaseMapping& mapping, char32_t value) { return mapping.from < value; });
  if (found != kLowercase.end() && found->from == c) return {found->first, found->second};
  return {static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), 0};
}

Decomposition decompose(char32_t c) {
  Decomposition whole{{c}, 1};
  if (c < 0xC0 || in_ranges(kNotDecomposed, c)) return whole;
  std::array<utf8proc_int32_t, 8> parts;
  int last_class = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                             UTF8PROC_DECOMPOSE, &last_class);
  if (count < 1 || count > static_cast<utf8proc_ssize_t>(parts.size())) return whole;
  std::copy_n(parts.begin(), count, whole.parts.begin());
  whole.num_parts = static_cast<size_t>(count);
  return whole;
}

CompatibilityDecomposition decompose_compatibly(char32_t c) {
  CompatibilityDecomposition whole{{}, 0};
  if (c < 0xA0 || in_ranges(kNotDecomposed, c) || in_ranges(kNotDecomposedCompatibly, c)) return whole;
  std::array<utf8proc_int32_t, 32> parts;
  int last_class = 0;
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), kOptions, &last_class);
  if (count < 1 || count > static_cast<utf8proc_ssize_t>(parts.size())) return whole;
  if (count == 1 && static_cast<char32_t>(parts[0]) == c) return whole;
  std::copy_n(parts.begin(), count, whole.parts.begin());
  whole.num_parts = static_cast<size_t>(count);
  return whole;
}

int combining_class(char32_t c) {
  if (c < 0x300 || in_ranges(kNoCombiningClass, c)) return 0;
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

char32_t compose(char32_t first, char32_t second) {
  std::array<utf8proc_int32_t, 2> pair{static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (utf8proc_normalize_utf32(pair.data(), 2, kOptions) != 1) return 0;
  const auto composed = static_cast<char32_t>(pair[0]);
  return in_ranges(kNotDecomposed, composed) ? 0 : composed;
}

}  // namespace frugal::unicode
