// Folding and word splitting, for retrieval over law and prose alike. A word is
// - a run of letters, digits and their marks; hyphens and apostrophes separate words ("dá-se" → da, se);
// - a number: digits joined by single '.' or ','. Its folded form drops thousands separators, so that "Lei 8.078" and
//   "Lei 8078" match: "8.078" → 8078, "10,5" → 10,5, "1.2.3" → 1.2.3. It keeps a letter that a hyphen ties to it, as
//   articles of law are numbered: "121-A" → 121-a. It drops an ordinal mark after it, "o" included: "5º", "5°",
//   "5o" → 5;
// - a single ideograph or kana, since writing does not separate them.
// "nº" is the word no. '§' and other symbols are no words.
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rag/text/words.h"

namespace frugal {

namespace {

constexpr char32_t kFeminineOrdinal = 0xAA, kDegree = 0xB0, kMasculineOrdinal = 0xBA;

bool is_ordinal_mark(char32_t c) {
  return c == kFeminineOrdinal || c == kDegree || c == kMasculineOrdinal;
}
bool is_upper_ascii(char32_t c) {
  return c >= 'A' && c <= 'Z';
}

bool is_ideographic(char32_t c) {
  return (c >= 0x3041 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

// Soft hyphens and joiners occur inside words and are dropped.
bool is_ignorable(char32_t c) {
  return c == 0xAD || (c >= 0x200B && c <= 0x200D) || c == 0x2060 || c == 0xFEFF || (c >= 0xFE00 && c <= 0xFE0F);
}

bool is_word_char(char32_t c) {
  if (c < 0x80) return is_digit(c) || is_upper_ascii(c & ~char32_t{0x20});
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return is_ignorable(c);
  }
}

void append_folded(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(is_upper_ascii(c) ? c + 32 : c);
    return;
  }
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                                           UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
  std::array<utf8proc_int32_t, 32> parts;  // the longest compatibility decomposition has 18
  int last_class = 0;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), kOptions, &last_class);
  for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, parts.size()); ++i)
    append_utf8(out, static_cast<char32_t>(parts[i]));
}

// Reads the words of a text from left to right.
class WordCursor {
 public:
  explicit WordCursor(std::string_view text) : text_(text) {}

  std::vector<Word> all() {
    std::vector<Word> words;
    while (at_ < text_.size()) {
      const CodePoint point = decode_utf8(text_, at_);
      if (!is_word_char(point.value) || is_ordinal_mark(point.value) || is_ignorable(point.value)) {
        at_ += point.num_bytes;
        continue;
      }
      const size_t begin = at_;
      if (is_ideographic(point.value))
        at_ += point.num_bytes;
      else if (!is_digit(point.value) || !read_number())
        read_run();
      add(words, begin);
    }
    return words;
  }

 private:
  char32_t peek(size_t at) const { return at < text_.size() ? decode_utf8(text_, at).value : U' '; }

  void add(std::vector<Word>& words, size_t begin) {
    std::string folded = number_.empty() ? fold(text_.substr(begin, at_ - begin)) : std::move(number_);
    number_.clear();
    if (folded.empty()) return;
    words.push_back({std::move(folded), static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)});
  }

  void read_run() {
    while (at_ < text_.size()) {
      const CodePoint point = decode_utf8(text_, at_);
      if (!is_word_char(point.value) || is_ideographic(point.value)) return;
      at_ += point.num_bytes;
    }
  }

  // Digits with separators, then an ordinal mark or a tied letter. False, with nothing consumed, if letters run on
  // ("4x4"): that is a plain run.
  bool read_number() {
    size_t at = at_;
    bool only_thousands = true;
    size_t group_digits = 0, num_groups = 0;
    char separator = 0;
    std::string digits, written;
    for (;; ++at) {
      const char32_t c = peek(at);
      if (is_digit(c)) {
        digits += static_cast<char>(c), written += static_cast<char>(c), ++group_digits;
        continue;
      }
      const bool joins = (c == '.' || c == ',') && is_digit(peek(at + 1));
      only_thousands &= num_groups == 0 ? group_digits <= 3 || !joins : group_digits == 3;
      if (!joins) break;
      only_thousands &= separator == 0 || separator == static_cast<char>(c);
      separator = static_cast<char>(c), written += separator, ++num_groups, group_digits = 0;
    }
    if (digits.front() == '0' && num_groups > 0) only_thousands = false;  // "0.125" is a fraction
    const std::string& number = only_thousands ? digits : written;
    const CodePoint next = at < text_.size() ? decode_utf8(text_, at) : CodePoint{U' ', 0, true};
    if (is_ordinal_mark(next.value)) {
      at += next.num_bytes;
    } else if (next.value == 'o' && !is_word_char(peek(at + 1))) {
      at += 1;
    } else if (is_word_char(next.value) && !is_ideographic(next.value)) {
      if (num_groups == 0) return false;
    }
    number_ = number;
    at_ = at;
    read_tied_letters();
    return true;
  }

  // "-A" or "-AB" after a number, as in "art. 121-A", "art. 1º-A".
  void read_tied_letters() {
    if (peek(at_) != '-' || !is_upper_ascii(peek(at_ + 1))) return;
    const size_t length = is_upper_ascii(peek(at_ + 2)) ? 2 : 1;
    if (is_word_char(peek(at_ + 1 + length))) return;
    number_ += fold(text_.substr(at_, 1 + length));
    at_ += 1 + length;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string number_;  // folded form of the number just read, if it was one
};

}  // namespace

std::string fold(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    append_folded(folded, point.value);
    at += point.num_bytes;
  }
  return folded;
}

std::vector<Word> split_words(std::string_view text) {
  return WordCursor(text).all();
}

}  // namespace frugal
