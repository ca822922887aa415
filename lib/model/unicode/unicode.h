// Unicode properties as Hugging Face's tokenizers define them. The classes come from utf8proc. The tokenizers carry
// tables of several other Unicode versions; unicode_differences.inc lists the few hundred code points that differ. Not
// for search or display, which use utf8proc directly (rag/text).
#pragma once

#include <array>
#include <cstddef>

namespace frugal::unicode {

/// Unicode White_Space, which is also the regex engine's \s.
bool is_space(char32_t c);
/// \p{L} and \p{N} of the pre-tokenisers' regexes.
bool is_letter(char32_t c);
bool is_number(char32_t c);
/// The code points that the Digits pre-tokeniser isolates.
bool is_numeric(char32_t c);

/// BertPreTokenizer isolates these.
bool is_punctuation(char32_t c);
/// BertNormalizer: dropped by clean_text; surrounded with spaces by handle_chinese_chars; dropped by strip_accents.
bool is_removed(char32_t c);
bool is_chinese(char32_t c);
bool is_mark(char32_t c);

/// One or two code points; the second is 0 for one.
struct Lowercase {
  char32_t first;
  char32_t second;
};
Lowercase to_lower(char32_t c);

/// Canonical decomposition, in full, in canonical order within itself.
struct Decomposition {
  std::array<char32_t, 8> parts;  // the longest has 4
  size_t num_parts;
};
Decomposition decompose(char32_t c);
/// The same with compatibility mappings; no parts if there is none.
struct CompatibilityDecomposition {
  std::array<char32_t, 32> parts;  // the longest has 18
  size_t num_parts;
};
CompatibilityDecomposition decompose_compatibly(char32_t c);
int combining_class(char32_t c);
/// The code point that `first` followed by `second` composes to, or 0.
char32_t compose(char32_t first, char32_t second);

}  // namespace frugal::unicode
