// Finds the labels that open provisions, line by line and without a grammar of the whole law: Brazilian laws, codes in
// English and their Markdown versions differ too much for one.
//
// A label can begin at the start of a line, after bullets and emphasis, or inside a line after the end of a clause:
// after . ; : ) or a closing quote, or after the conjunction in "; e" and ", ou". Many publications put a whole article
// on one line, so line starts alone are not enough. No label crosses the end of its line.
//
// A law also mentions provisions ("nos termos do § 3º do art. 37"). These rules separate labels from mentions:
// - The text after an article's or paragraph's number must be able to begin a sentence (opens_text()).
// - Inside a line, an article must be the successor of the last one: "54" or "53-A" after "53".
// - Paragraphs, items and letters count only inside an article. An item needs a dash after its Roman numeral, a letter
//   a closing bracket.
// - A quotation mark at the start of a line hides the label after it: the law quotes another.
//
// Codes in English. "Article 5" and "Section 3" count only at the start of a line. Once the text has had an article,
// sections are its paragraphs; before that, or without any, sections and "§ 1983." are articles themselves.
//
// Limit: a quoted article that happens to be the successor of the last one is taken for the law's own.
#include "rag/law/legal.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/ascii.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr std::string_view kParagraphSign = "§";
constexpr std::array<std::string_view, 3> kOrdinalMarks = {"º", "ª", "°"};
constexpr std::array<std::string_view, 3> kDashes = {"–", "—", "-"};
// Markdown characters (emphasis, heading, block quote, bullet) that may precede a label at the start of a line.
constexpr std::string_view kLinePrefix = "*_#>-";

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
  return is_upper(c) || is_lower(c) || static_cast<unsigned char>(c) >= 0x80;
}

/// The length of the first of `options` that is found at `offset`; 0 if none is.
template <typename Options>
size_t length_of_any(std::string_view text, size_t offset, const Options& options) {
  for (const std::string_view option : options)
    if (text.substr(std::min(offset, text.size())).starts_with(option)) return option.size();
  return 0;
}

/// The length of the space at `offset`: ASCII, no-break, or typographic (U+2000 to U+200A); 0 if there is none.
size_t space_length(std::string_view text, size_t offset) {
  if (offset >= text.size()) return 0;
  if (text[offset] == ' ' || text[offset] == '\t') return 1;
  const std::string_view rest = text.substr(offset);
  if (rest.starts_with("\u00a0")) return 2;
  return rest.starts_with("\xE2\x80") && rest.size() > 2 && static_cast<unsigned char>(rest[2]) <= 0x8A ? 3 : 0;
}

size_t skip_spaces(std::string_view text, size_t offset) {
  while (const size_t length = space_length(text, offset)) offset += length;
  return offset;
}

/// The offset after the bullets, emphasis and spaces at the start of a line.
size_t skip_line_prefix(std::string_view text, size_t offset) {
  for (;;) {
    const size_t next = skip_spaces(text, offset);
    if (next >= text.size() || kLinePrefix.find(text[next]) == std::string_view::npos) return next;
    offset = next + 1;
  }
}

/// True if a sentence can begin at `offset`, as after a label and unlike after a mention ("§ 3º do art. 37").
bool opens_text(std::string_view text, size_t offset) {
  while (offset < text.size() && (text[offset] == '.' || text[offset] == '*' || text[offset] == '_')) ++offset;
  offset = skip_spaces(text, offset);
  if (offset >= text.size()) return true;
  return !is_lower(text[offset]) && text[offset] != ',' && text[offset] != ')';
}

/// The length of the first of `words` at `offset`, in any case and not followed by a letter; 0 if none is there.
size_t read_word(std::string_view text, size_t offset, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text.size() - offset < word.size()) continue;
    const bool same = std::equal(word.begin(), word.end(), text.begin() + static_cast<std::ptrdiff_t>(offset),
                                 [](char a, char b) { return a == (is_upper(b) ? static_cast<char>(b + 32) : b); });
    if (same && (offset + word.size() == text.size() || !is_letter(text[offset + word.size()]))) return word.size();
  }
  return 0;
}

class MarkScanner {
 public:
  explicit MarkScanner(std::string_view text) : text_(text) {}

  std::vector<LegalMark> all() {
    for (size_t line = 0; line < text_.size();) {
      const size_t end = std::min(text_.find('\n', line), text_.size());
      scan_line(line, end);
      line = end + 1;
    }
    return std::move(marks_);
  }

 private:
  void scan_line(size_t begin, size_t end) {
    const std::string_view whole = text_;
    text_ = text_.substr(0, end);  // so that no label crosses the end of its line
    const size_t first = skip_line_prefix(text_, begin);
    if (first < end) try_mark(first, begin, true);
    for (size_t at = first; at < end; ++at)
      if (const size_t next = after_terminator(at); next < end) try_mark(next, next, false);
    text_ = whole;
  }

  /// If a clause ends at `at`, the offset where the next one begins; else npos.
  size_t after_terminator(size_t at) const {
    const bool closing_quote = text_.substr(at).starts_with("”");
    if (!closing_quote && std::string_view(".;:),\"").find(text_[at]) == std::string_view::npos)
      return std::string_view::npos;
    const size_t behind = at + (closing_quote ? std::string_view("”").size() : 1);
    size_t next = skip_spaces(text_, behind);
    if (next == behind) return std::string_view::npos;
    const bool comma = text_[at] == ',';
    const size_t conjunction =
        text_[at] == ';' || comma ? read_word(text_, std::min(next, text_.size()), {"e", "ou"}) : 0;
    if (conjunction > 0) return skip_spaces(text_, next + conjunction);
    return comma ? std::string_view::npos : next;
  }

  void try_mark(size_t at, size_t line, bool at_line_start) {
    if (at >= text_.size()) return;
    if (try_article(at, line, at_line_start) || try_paragraph(at, line, at_line_start)) return;
    if (in_article_ && (try_item(at, line) || try_letter(at, line))) return;
  }

  void add(LegalMark::Level level, std::string value, size_t at, size_t line) {
    if (level == LegalMark::Level::article) in_article_ = true;
    marks_.push_back({level, std::move(value), static_cast<uint32_t>(at), static_cast<uint32_t>(line)});
  }

  bool try_article(size_t at, size_t line, bool at_line_start) {
    const size_t portuguese = read_word(text_, at, {"art", "artigo"});
    const size_t english = at_line_start ? read_word(text_, at, {"article", "section", "sec"}) : 0;
    if (portuguese + english == 0) return false;
    const bool is_section = english > 0 && (text_[at] == 'S' || text_[at] == 's');
    size_t next = at + portuguese + english;
    if (next < text_.size() && text_[next] == '.') ++next;
    next = skip_spaces(text_, next);
    std::optional<std::string> number = read_provision_number(text_, next);
    if (!number && english > 0) number = read_roman(next);
    if (!number || !opens_text(text_, next)) return false;
    if (!at_line_start && !continues_articles(*number)) return false;
    last_article_ = *number;
    const bool part = is_section && seen_article_word_;
    seen_article_word_ |= !is_section;
    add(part ? LegalMark::Level::paragraph : LegalMark::Level::article, *number, at, line);
    return true;
  }

  /// True if `number` is the successor of the last article: "54" or "53-A" after "53".
  bool continues_articles(const std::string& number) const {
    if (last_article_.empty()) return false;
    const int last = std::atoi(last_article_.c_str()), next = std::atoi(number.c_str());
    return next == last + 1 || (next == last && number > last_article_);
  }

  std::optional<std::string> read_roman(size_t& at) const {
    size_t end = at;
    while (end < text_.size() && is_upper(text_[end])) ++end;
    const std::optional<int> value = roman_value(text_.substr(at, end - at));
    if (!value) return std::nullopt;
    std::string number = std::to_string(*value);
    if (end + 1 < text_.size() && text_[end] == '-' && is_upper(text_[end + 1]) &&
        (end + 2 == text_.size() || !is_letter(text_[end + 2]))) {
      number += text_.substr(end, 2);
      end += 2;
    }
    at = end;
    return number;
  }

  bool try_paragraph(size_t at, size_t line, bool at_line_start) {
    static constexpr std::array<std::string_view, 6> kSingle = {"Parágrafo único", "Parágrafo Único",
                                                                "PARÁGRAFO ÚNICO", "Paragrafo unico",
                                                                "Parágrafo unico", "PARAGRAFO UNICO"};
    if (length_of_any(text_, at, kSingle) > 0) {
      if (in_article_) add(LegalMark::Level::paragraph, "unico", at, line);
      return in_article_;
    }
    if (!text_.substr(at).starts_with(kParagraphSign)) return false;
    size_t next = skip_spaces(text_, at + kParagraphSign.size());
    const std::optional<std::string> number = read_provision_number(text_, next);
    if (!number || !opens_text(text_, next)) return false;
    if (!in_article_ && !at_line_start) return false;
    // "§ 1983." without an article before it numbers the sections of a code.
    add(in_article_ && seen_article_word_ ? LegalMark::Level::paragraph : LegalMark::Level::article, *number, at, line);
    return true;
  }

  bool try_item(size_t at, size_t line) {
    size_t next = at;
    std::optional<std::string> number = read_roman(next);
    if (!number) return false;
    next = skip_spaces(text_, next);
    const size_t dash = length_of_any(text_, next, kDashes);
    if (dash == 0) return false;
    add(LegalMark::Level::item, std::move(*number), at, line);
    return true;
  }

  bool try_letter(size_t at, size_t line) {
    if (!is_lower(text_[at]) || at + 1 >= text_.size() || text_[at + 1] != ')') return false;
    add(LegalMark::Level::letter, std::string(1, text_[at]), at, line);
    return true;
  }

  std::string_view text_;
  std::vector<LegalMark> marks_;
  std::string last_article_;
  bool in_article_ = false;
  bool seen_article_word_ = false;  // "Art." or "Article", not "Section" or "§"
};

}  // namespace

std::vector<LegalMark> find_legal_marks(std::string_view text) {
  return MarkScanner(text).all();
}

void LegalPosition::enter(const LegalMark& mark) {
  switch (mark.level) {
    case LegalMark::Level::article:
      at_ = {};
      at_.article = mark.value;
      return;
    case LegalMark::Level::paragraph:
      at_.paragraph = mark.value;
      at_.item.clear();
      at_.letter.clear();
      return;
    case LegalMark::Level::item:
      at_.item = mark.value;
      at_.letter.clear();
      return;
    case LegalMark::Level::letter:
      at_.letter = mark.value;
  }
}

std::optional<Provision> LegalPosition::provision() const {
  return at_.article.empty() ? std::nullopt : std::optional(at_);
}

std::optional<std::string> read_provision_number(std::string_view text, size_t& offset) {
  std::string number;
  size_t at = offset;
  const auto digit = [&](size_t where) { return where < text.size() && is_digit(text[where]); };
  while (digit(at)) {
    number += text[at++];
    const bool thousands =
        at < text.size() && text[at] == '.' && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4);
    if (thousands) ++at;
  }
  if (number.empty() || number.size() > 6) return std::nullopt;
  if (const size_t mark = length_of_any(text, at, kOrdinalMarks))
    at += mark;
  else if (at < text.size() && text[at] == 'o' && (at + 1 == text.size() || !is_letter(text[at + 1])))
    ++at;
  if (at + 1 < text.size() && text[at] == '-' && is_upper(text[at + 1])) {
    const size_t letters = at + 2 < text.size() && is_upper(text[at + 2]) ? 2 : 1;
    const size_t end = at + 1 + letters;
    if (end == text.size() || (!is_letter(text[end]) && !is_digit(text[end]))) {
      number += text.substr(at, 1 + letters);
      at = end;
    }
  }
  if (at < text.size() && is_letter(text[at]) && !text.substr(at).starts_with("\u00a0") &&
      length_of_any(text, at, kDashes) == 0)
    return std::nullopt;
  offset = at;
  return number;
}

std::optional<int> roman_value(std::string_view numeral) {
  struct Digit {
    int value;
    std::string_view letters;
  };
  static constexpr std::array<Digit, 13> kDigits = {{{1000, "M"},
                                                     {900, "CM"},
                                                     {500, "D"},
                                                     {400, "CD"},
                                                     {100, "C"},
                                                     {90, "XC"},
                                                     {50, "L"},
                                                     {40, "XL"},
                                                     {10, "X"},
                                                     {9, "IX"},
                                                     {5, "V"},
                                                     {4, "IV"},
                                                     {1, "I"}}};
  int value = 0;
  std::string_view rest = numeral;
  for (const Digit& digit : kDigits) {
    // V, L, D and the subtractive pairs occur once, the others at most three times. Any rest makes it no numeral.
    const bool once = digit.letters.size() == 2 || digit.value == 5 || digit.value == 50 || digit.value == 500;
    for (int count = 0; count < (once ? 1 : 3) && rest.starts_with(digit.letters); ++count) {
      value += digit.value;
      rest.remove_prefix(digit.letters.size());
    }
  }
  return numeral.empty() || !rest.empty() ? std::nullopt : std::optional(value);
}

bool is_division_heading(std::string_view line) {
  static constexpr std::array<std::string_view, 12> kDivisions = {"titulo", "capitulo", "secao", "subsecao",
                                                                  "livro",  "parte",    "anexo", "chapter",
                                                                  "part",   "title",    "annex", "appendix"};
  constexpr size_t kMaxHeadingBytes = 160;
  if (line.size() > kMaxHeadingBytes) return false;
  const std::vector<Word> words = split_words(line);
  if (words.empty() || words.size() > 16) return false;
  if (std::find(kDivisions.begin(), kDivisions.end(), words[0].folded) == kDivisions.end()) return false;
  if (!is_upper(line[words[0].begin])) return false;
  if (words.size() == 1) return true;
  static constexpr std::array<std::string_view, 4> kNamed = {"geral", "especial", "unico", "unica"};
  std::string numeral(line.substr(words[1].begin, words[1].end - words[1].begin));
  return is_digit(numeral[0]) || roman_value(numeral).has_value() ||
         std::find(kNamed.begin(), kNamed.end(), words[1].folded) != kNamed.end();
}

}  // namespace frugal
