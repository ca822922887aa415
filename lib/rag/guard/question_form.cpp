// How a question is read. In order:
//
// 1. Words, and the provisions that they name (rag/law). A provision is one token, however it is written.
// 2. Numbers in digits and in words, with their scale ("5 mil"), currency and unit; dates. An ordinal is no cardinal:
//    "quinto ano" is not "cinco anos".
// 3. Contractions are taken apart ("do" is "de" with an article, "don't" is "do not"). An article becomes a property of
//    the word behind it: it may be missing, but "o capital" is not "a capital".
// 4. Symbols that mean something (quotes, a minus before a word, "C++", "#") are tokens; full stops, commas, question
//    marks and brackets are none.
// 5. What only introduces or closes a question goes ("gostaria de saber", "please"); an elided or postponed copula
// comes
//    to its place ("qual o prazo", "what the deadline is").
// 6. A question for the text of its provisions becomes those provisions: "o que diz o art. 5º?", "me mostre o art. 5º".
//    Every word of it must belong to such a frame; "o que não diz o art. 5º?" keeps all of its words.
//
// The order of what remains is never changed: in it lies who does what to whom.
#include "rag/guard/question_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/ascii.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "rag/guard/word_classes.h"
#include "rag/law/number_words.h"
#include "rag/text/stemmer.h"

namespace frugal {
namespace {

constexpr char32_t kFeminineMark = 0xAA, kMasculineMark = 0xBA;

// The letter that a hyphen ties to the number of an article, as a capital: "art. 260-e" is read as "art. 260-E".
std::string with_capital_suffixes(std::string_view text) {
  std::string out(text);
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; };
  for (size_t i = 2; i < out.size(); ++i) {
    const bool is_tied = out[i] >= 'a' && out[i] <= 'z' && out[i - 1] == '-' &&
                         (is_digit(static_cast<unsigned char>(out[i - 2])) || (i > 3 && (out[i - 2] & 0x80) != 0));
    const bool ends =
        i + 1 == out.size() || (!is_letter(out[i + 1]) && !is_digit(static_cast<unsigned char>(out[i + 1])));
    if (is_tied && ends) out[i] = static_cast<char>(out[i] - 32);
  }
  return out;
}

// The mark of a Latin letter: 'a' acute, 'g' grave, 'c' circumflex, 't' tilde, 'd' diaeresis, 'k' cedilla; 0: none.
char mark_of(char32_t c) {
  if (c >= 0x300 && c <= 0x36F) {
    switch (c) {
      case 0x300:
        return 'g';
      case 0x301:
        return 'a';
      case 0x302:
        return 'c';
      case 0x303:
        return 't';
      case 0x308:
        return 'd';
      case 0x327:
        return 'k';
      default:
        return '?';
    }
  }
  if (c < 0xC0 || c > 0xFF) return 0;
  //                                     À..Ï / à..ï       Ð..ß / ð..ÿ
  constexpr std::string_view kMarks = "gactdr-kgacdgacd-tgactd--gacda--";
  const char mark = kMarks[(c - 0xC0) % 32];
  return mark == '-' ? 0 : mark;
}

std::string marks_of(std::string_view written) {
  std::string marks;
  for (size_t at = 0; at < written.size();) {
    const CodePoint point = decode_utf8(written, at);
    if (const char mark = mark_of(point.value)) marks += mark;
    at += point.num_bytes;
  }
  return marks;
}

bool is_capital(std::string_view written) {
  if (written.empty()) return false;
  const char32_t c = decode_utf8(written, 0).value;
  return (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7);
}
bool has_small(std::string_view written) {
  for (size_t at = 0; at < written.size();) {
    const CodePoint point = decode_utf8(written, at);
    if ((point.value >= 'a' && point.value <= 'z') || (point.value >= 0xDF && point.value <= 0xFF)) return true;
    at += point.num_bytes;
  }
  return false;
}

// A number as written, with '.' before its decimals and no thousands separators; as it is where the language leaves
// that open.
std::string plain_number(std::string_view written, Language language) {
  const char decimal = language == Language::portuguese ? ',' : '.';
  const char thousands = language == Language::portuguese ? '.' : ',';
  const size_t comma = written.find(decimal);
  std::string_view whole = written.substr(0, comma);
  if (comma != written.npos && written.find_first_of(".,", comma + 1) != written.npos) return std::string(written);
  std::string digits;
  size_t group = 0, groups = 0;
  bool regular = true;
  for (const char c : whole) {
    if (c != thousands) {
      digits += c, ++group;
      continue;
    }
    regular &= groups == 0 ? group <= 3 : group == 3;
    ++groups, group = 0;
  }
  if (groups > 0 && (!regular || group != 3)) return std::string(written);
  return comma == written.npos ? digits : digits + "." + std::string(written.substr(comma + 1));
}

// As an amount: no decimals that are zero.
std::string without_zero_decimals(std::string number) {
  if (number.find('.') == number.npos) return number;
  while (number.back() == '0') number.pop_back();
  if (number.back() == '.') number.pop_back();
  return number;
}

std::string scaled(const std::string& number, int64_t scale) {
  const double value = std::strtod(number.c_str(), nullptr) * static_cast<double>(scale);
  if (!(std::abs(value) < 1e15) || std::abs(value - std::round(value)) > 1e-6)
    return fmt::format("{}x{}", number, scale);
  return fmt::format("{}", static_cast<int64_t>(std::llround(value)));
}

std::string_view currency_of_sign(char32_t c) {
  return c == 0x20AC ? "EUR" : c == 0xA3 ? "GBP" : c == '$' ? "$" : "";
}
bool is_currency(std::string_view unit) {
  return unit == "BRL" || unit == "USD" || unit == "EUR" || unit == "GBP";
}

class FormReader {
 public:
  FormReader(std::string_view text, const LawTable& laws) : text_(with_capital_suffixes(text)) {
    words_ = split_words(text_);
    provisions_ = find_provisions(text_, words_, laws);
    for (const Word& word : words_) folded_.push_back(word.folded);
    // Folded words alone decide, so that accents and capitals change nothing.
    std::string plain;
    for (const std::string& word : folded_) plain += word + " ";
    form_.language = detect_language(plain);
    if (form_.language == Language::unknown) form_.language = Language::english;
    has_small_letters_ = has_small(text_);
  }

  QuestionForm read() {
    while (at_ < words_.size()) {
      read_gap();
      if (!take_provision() && !take_date() && !take_number()) take_word();
    }
    read_gap();
    if (determiner_ != 0) flush_determiner();
    drop_frame();
    place_copula();
    reduce_to_text();
    stem();
    return std::move(form_);
  }

 private:
  std::string_view written(size_t word) const {
    return std::string_view(text_).substr(words_[word].begin, words_[word].end - words_[word].begin);
  }
  bool is_word(size_t at, std::string_view folded) const { return at < folded_.size() && folded_[at] == folded; }
  std::string_view gap_before(size_t word) const {
    const size_t begin = word == 0 ? 0 : words_[word - 1].end;
    const size_t end = word < words_.size() ? words_[word].begin : text_.size();
    return begin < end ? std::string_view(text_).substr(begin, end - begin) : std::string_view();
  }
  bool is_joined(size_t word, std::string_view by) const { return word < words_.size() && gap_before(word) == by; }

  void add(FormKind kind, std::string value) {
    FormToken token;
    token.kind = kind;
    token.value = std::move(value);
    token.determiner = determiner_;
    determiner_ = 0;
    form_.tokens.push_back(std::move(token));
  }

  // An article without a word behind it is a word itself: "hepatite A".
  void flush_determiner() {
    determiner_ = 0;
    add(FormKind::word, determiner_word_);
  }

  // --- symbols ---

  void read_gap() {
    if (at_ < skip_gaps_until_) return;
    const std::string_view gap = gap_before(at_);
    for (size_t at = 0; at < gap.size();) {
      const CodePoint point = decode_utf8(gap, at);
      const bool touches_word = at + point.num_bytes == gap.size() && at_ < words_.size();
      const bool follows_word = at == 0 && at_ > 0;
      read_symbol(point.value, touches_word, follows_word);
      at += point.num_bytes;
    }
  }

  void read_symbol(char32_t c, bool touches_word, bool follows_word) {
    const bool is_space = c <= ' ' || c == 0xA0 || (c >= 0x2000 && c <= 0x200F) || c == 0x202F || c == 0x2060 ||
                          c == 0x3000 || c == 0xFEFF || c == 0xAD;
    if (is_space || c == U'.' || c == U',' || c == U';' || c == U':' || c == U'!' || c == U'?' || c == U'(' ||
        c == U')' || c == U'\'' || c == U'`' || c == 0xA1 || c == 0xBF || c == 0x2018 || c == 0x2019 || c == 0x2026 ||
        c == 0xB4 || c == kMasculineMark || c == kFeminineMark)
      return;
    if (c == '%') {
      if (!form_.tokens.empty() && form_.tokens.back().kind == FormKind::number && follows_word)
        add(FormKind::unit, "%");
      else
        add(FormKind::symbol, "%");
      return;
    }
    if (const std::string_view sign = currency_of_sign(c); !sign.empty()) {
      if (currency_.empty()) currency_ = sign;
      return;
    }
    const bool is_dash = c == '-' || c == 0x2010 || c == 0x2011 || (c >= 0x2012 && c <= 0x2015) || c == 0x2212;
    if (is_dash) {
      // Before a word and not behind one it excludes the word, or makes the number negative; between digits it is a
      // range.
      const bool excludes = touches_word && !follows_word && c != 0x2013 && c != 0x2014;
      const bool is_range = at_ > 0 && at_ < words_.size() &&
                            is_digit(static_cast<unsigned char>(folded_[at_ - 1].back())) &&
                            is_digit(static_cast<unsigned char>(folded_[at_].front()));
      if (excludes || is_range) add(FormKind::symbol, "-");
      return;
    }
    std::string symbol;
    if (c == 0x201C || c == 0x201D || c == 0x201E || c == 0xAB || c == 0xBB)
      symbol = "\"";
    else
      append_utf8(symbol, c);
    add(FormKind::symbol, std::move(symbol));
  }

  // --- provisions ---

  bool take_provision() {
    while (next_provision_ < provisions_.size() && provisions_[next_provision_].end <= words_[at_].begin)
      ++next_provision_;
    if (next_provision_ == provisions_.size()) return false;
    const FoundProvision& found = provisions_[next_provision_];
    if (words_[at_].begin < found.begin) return false;
    add(FormKind::provision, to_string(found.reference));
    has_article_ &= !found.reference.article.empty();
    size_t end = at_;
    while (end < words_.size() && words_[end].begin < found.end) ++end;
    skip_gaps_until_ = end;
    at_ = std::max(end, at_ + 1);
    ++next_provision_;
    // One span may hold several: "arts. 18 e 19".
    while (next_provision_ < provisions_.size() && provisions_[next_provision_].begin < found.end) {
      add(FormKind::provision, to_string(provisions_[next_provision_].reference));
      has_article_ &= !provisions_[next_provision_].reference.article.empty();
      ++next_provision_;
    }
    return true;
  }

  // --- numbers and dates ---

  std::optional<int> small_number(size_t at, int low, int high) const {
    if (at >= folded_.size() || folded_[at].size() > 4) return std::nullopt;
    std::string digits = folded_[at];
    if (digits.size() > 2 && form_.language == Language::english)  // "5th"
      for (const std::string_view ending : {"st", "nd", "rd", "th"})
        if (digits.ends_with(ending)) digits.resize(digits.size() - 2);
    if (!is_digits(digits)) return std::nullopt;
    const int value = std::stoi(digits);
    return value >= low && value <= high ? std::optional(value) : std::nullopt;
  }
  std::optional<int> year(size_t at) const { return small_number(at, 1000, 2999); }

  void add_date(int year, int month, int day, size_t num_words) {
    std::string date = year > 0 ? fmt::format("{:04}", year) : std::string("-");
    date += fmt::format("-{:02}", month);
    if (day > 0) date += fmt::format("-{:02}", day);
    add(FormKind::date, std::move(date));
    skip_gaps_until_ = at_ + num_words;
    at_ += num_words;
  }

  bool take_date() { return take_numeric_date() || take_written_date(); }

  bool take_numeric_date() {
    const auto joined = [&](std::string_view by) { return is_joined(at_ + 1, by) && is_joined(at_ + 2, by); };
    if (joined("-") && year(at_)) {
      const auto month = small_number(at_ + 1, 1, 12), day = small_number(at_ + 2, 1, 31);
      if (month && day) return add_date(*year(at_), *month, *day, 3), true;
    }
    if (!joined("/") && !joined("-")) return false;
    const auto first = small_number(at_, 1, 31), second = small_number(at_ + 1, 1, 31), in = year(at_ + 2);
    if (!first || !second || !in) return false;
    // In English the order of day and month is open, unless the day is above 12.
    const bool day_first = form_.language == Language::portuguese || *first > 12;
    if (!day_first && *second <= 12 && *first != *second) return false;
    const int day = day_first ? *first : *second, month = day_first ? *second : *first;
    if (month > 12) return false;
    add_date(*in, month, day, 3);
    return true;
  }

  bool take_written_date() {
    const auto month_at = [&](size_t at) { return at < folded_.size() ? month_of(folded_[at], form_.language) : 0; };
    const auto link = [&](size_t at) { return is_word(at, "de") || is_word(at, "of") || is_word(at, "do") ? 1u : 0u; };
    if (const auto day = small_number(at_, 1, 31)) {
      const size_t at = at_ + 1 + link(at_ + 1);
      const int month = month_at(at);
      if (month == 0) return false;
      const size_t year_at = at + 1 + link(at + 1);
      const auto in = year(year_at);
      add_date(in.value_or(0), month, *day, (in ? year_at : at) + 1 - at_);
      return true;
    }
    const int month = month_at(at_);
    if (month == 0) return false;
    if (const auto day = small_number(at_ + 1, 1, 31); day && form_.language == Language::english) {
      const auto in = year(at_ + 2);
      add_date(in.value_or(0), month, *day, in ? 3 : 2);
      return true;
    }
    const size_t year_at = at_ + 1 + link(at_ + 1);
    if (const auto in = year(year_at)) return add_date(*in, month, 0, year_at + 1 - at_), true;
    return false;
  }

  bool take_number() {
    std::string value;
    size_t next = at_ + 1;
    const std::string& word = folded_[at_];
    if (take_currency_word()) return true;
    if (is_digit(static_cast<unsigned char>(word.front()))) {
      if (!read_digits(value)) return false;
    } else if (const auto spelled = read_spelled_number(folded_, at_)) {
      next = at_ + spelled->words;
      const bool is_article = spelled->value == 1 && spelled->words == 1 && word.starts_with("um");
      if (is_article && (next >= folded_.size() || unit_of(folded_[next]).empty())) return false;
      value = std::to_string(spelled->value);
      if (is_ordinal_word(folded_[next - 1])) value = "#" + value;
    } else {
      return false;
    }
    add_number(std::move(value), next);
    return true;
  }

  // "R" of "R$", "US" of "US$": the currency of the number behind it.
  bool take_currency_word() {
    const std::string& word = folded_[at_];
    if ((word != "r" && word != "us") || !gap_before(at_ + 1).starts_with("$")) return false;
    currency_ = word == "r" ? "BRL" : "USD";
    ++at_;
    return true;
  }

  bool read_digits(std::string& value) {
    const std::string& word = folded_[at_];
    if (!std::all_of(word.begin(), word.end(),
                     [](char c) { return is_digit(static_cast<unsigned char>(c)) || c == '.' || c == ','; })) {
      for (const std::string_view ending : {"st", "nd", "rd", "th"})
        if (word.ends_with(ending) && is_digits(std::string_view(word).substr(0, word.size() - 2))) {
          value = "#" + word.substr(0, word.size() - 2);
          return true;
        }
      return false;  // "121-a", "4x4"
    }
    std::string_view digits = written(at_);
    const size_t end = digits.find_last_of("0123456789");
    const bool is_ordinal = end + 1 < digits.size();
    digits = digits.substr(0, end + 1);
    value = (is_ordinal ? "#" : "") + plain_number(digits, form_.language);
    return true;
  }

  void add_number(std::string value, size_t next) {
    skip_gaps_until_ = next;
    if (next < folded_.size() && !value.starts_with('#')) {
      if (const int64_t scale = scale_of(folded_[next], form_.language)) value = scaled(value, scale), ++next;
    }
    std::string_view unit = next < folded_.size() ? unit_of(folded_[next]) : std::string_view();
    size_t unit_words = unit.empty() ? 0 : 1;
    if (unit.empty() && (is_word(next, "de")) && next + 1 < folded_.size() && is_currency(unit_of(folded_[next + 1])))
      unit = unit_of(folded_[next + 1]), unit_words = 2;  // "dois milhões de reais"
    if ((is_word(next, "por") && is_word(next + 1, "cento")) || (is_word(next, "per") && is_word(next + 1, "cent")))
      unit = "%", unit_words = 2;
    if (value.starts_with('#')) unit = {}, unit_words = 0;
    at_ = next;
    if (currency_.empty() && is_currency(unit)) {
      currency_ = unit;
      at_ += unit_words, unit = {};
    }
    if (!currency_.empty()) {
      add(FormKind::amount, fmt::format("{} {}", currency_, without_zero_decimals(std::move(value))));
      currency_.clear();
    } else {
      add(FormKind::number, std::move(value));
    }
    if (!unit.empty()) {
      add(FormKind::unit, std::string(unit));
      at_ += unit_words;
      skip_gaps_until_ = at_;
    }
  }

  // --- words ---

  void take_word() {
    if (!currency_.empty()) {  // a sign without a number
      add(FormKind::symbol, std::string(currency_));
      currency_.clear();
    }
    const size_t index = at_++;
    const std::string_view as_written = written(index);
    const bool small_text = has_small_letters_;
    const bool is_single_capital = as_written.size() == 1 && is_capital(as_written) && index > 0 && small_text;
    if (!is_single_capital && take_contraction(index)) return;
    if (!is_single_capital && take_determiner(index)) return;
    if (form_.language == Language::english && folded_[index] == "cannot") {
      add_word(index, "can");
      add(FormKind::negation, "not");
      return;
    }
    add_word(index, std::string(usual_form(folded_[index], form_.language)));
  }

  void add_word(size_t index, std::string folded) {
    const std::string_view as_written = written(index);
    FormKind kind = special_class(folded, form_.language).value_or(FormKind::word);
    const bool capital = is_capital(as_written) && has_small_letters_;
    if (kind == FormKind::word && capital && index > 0) kind = FormKind::name;
    add(kind, std::move(folded));
    FormToken& token = form_.tokens.back();
    token.accents = marks_of(as_written);
    token.has_capital = capital;
    token.is_acronym = capital && as_written.size() > 1 && !has_small(as_written);
    token.is_first = index == 0;
    form_.has_accents |= !token.accents.empty();
    form_.has_names |= capital && index > 0;
  }

  // "don't" is split into "don" and "t".
  bool take_contraction(size_t index) {
    if (form_.language != Language::english || folded_[index] != "t" || form_.tokens.empty()) return false;
    const std::string_view gap = gap_before(index);
    if (gap != "'" && gap != "\u2019") return false;
    FormToken& verb = form_.tokens.back();
    if (verb.value == "won")
      verb.value = "will";
    else if (verb.value == "shan")
      verb.value = "shall";
    else if (verb.value != "can" && verb.value.ends_with('n'))
      verb.value.pop_back();
    else if (verb.value != "can")
      return false;
    add(FormKind::negation, "not");
    return true;
  }

  bool take_determiner(size_t index) {
    const auto parts = determiner_of(folded_[index], form_.language);
    if (!parts) return false;
    if (determiner_ != 0) flush_determiner();
    const size_t next = index + 1;
    // Nothing behind it that it could belong to: "classe A", "opção a ou b".
    const bool belongs = next < folded_.size() && !(folded_[index].size() == 1 && is_joint(folded_[next]));
    if (!belongs) return false;
    form_.has_accents |= !marks_of(written(index)).empty();
    if (!parts->preposition.empty()) add(FormKind::word, std::string(parts->preposition));
    determiner_ = parts->determiner;
    determiner_word_ = folded_[index];
    return true;
  }

  bool is_joint(std::string_view word) const {
    static constexpr std::array<std::string_view, 20> kJoints = {"e",  "ou",  "de",   "do",  "da",  "em",  "no",
                                                                 "na", "por", "para", "com", "sem", "and", "or",
                                                                 "of", "in",  "on",   "for", "to",  "with"};
    return std::find(kJoints.begin(), kJoints.end(), word) != kJoints.end();
  }

  // --- frames ---

  std::vector<std::string_view> values(size_t begin, size_t end) const {
    std::vector<std::string_view> list;
    for (size_t i = begin; i < end; ++i) list.push_back(form_.tokens[i].value);
    return list;
  }

  // Nothing is dropped that would leave no question.
  void drop_frame() {
    std::vector<FormToken>& tokens = form_.tokens;
    for (int round = 0; round < 4; ++round) {
      const size_t length = opener_length(values(0, tokens.size()), form_.language);
      if (length == 0 || length >= tokens.size()) break;
      tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(length));
    }
    const size_t length = closer_length(values(0, tokens.size()), form_.language);
    if (length < tokens.size()) tokens.resize(tokens.size() - length);
    // "quem é que pode" is "quem pode".
    if (form_.language == Language::portuguese && tokens.size() > 3 && tokens[0].kind == FormKind::question &&
        tokens[1].value == "e" && tokens[2].value == "que")
      tokens.erase(tokens.begin() + 1, tokens.begin() + 3);
  }

  void place_copula() {
    std::vector<FormToken>& tokens = form_.tokens;
    if (tokens.size() < 2 || tokens[0].kind != FormKind::question) return;
    const bool portuguese = form_.language == Language::portuguese;
    FormToken copula;
    copula.value = copula.stem = portuguese ? "e" : "is";
    if (is_copula(tokens[1].value, form_.language)) {
      tokens[1] = copula;
      return;
    }
    if (tokens.size() > 2 && is_copula(tokens.back().value, form_.language) && tokens[0].value != "how") {
      tokens.pop_back();
      tokens.insert(tokens.begin() + 1, copula);
    } else if (portuguese && tokens[0].value != "que" && tokens[1].determiner != 0 &&
               tokens[1].kind != FormKind::question) {
      tokens.insert(tokens.begin() + 1, copula);
    }
  }

  void reduce_to_text() {
    std::vector<FormToken>& tokens = form_.tokens;
    const auto is_provision = [](const FormToken& token) { return token.kind == FormKind::provision; };
    const auto first = std::find_if(tokens.begin(), tokens.end(), is_provision);
    if (first == tokens.end() || !has_article_) return;
    const auto last = std::find_if(tokens.rbegin(), tokens.rend(), is_provision).base();
    const bool is_list = std::all_of(first, last, [&](const FormToken& token) {
      const bool is_range = &token != &*first && token.determiner == 'f';  // "arts. 5 a 6"
      return (is_provision(token) && !is_range) || token.value == "e" || token.value == "and" || token.value == "de" ||
             token.value == "of";
    });
    const auto begin = static_cast<size_t>(first - tokens.begin()), end = static_cast<size_t>(last - tokens.begin());
    if (!is_list || !is_text_frame(values(0, begin), values(end, tokens.size()), form_.language)) return;
    form_.asks_text = true;
    tokens.erase(last, tokens.end());
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(begin));
    std::erase_if(tokens, [&](const FormToken& token) { return !is_provision(token); });
    for (FormToken& token : tokens) token.determiner = 0;
  }

  void stem() {
    const Stemmer stemmer(form_.language);
    for (FormToken& token : form_.tokens)
      token.stem =
          token.kind >= FormKind::negation && token.kind <= FormKind::word ? stemmer.stem(token.value) : token.value;
  }

  const std::string text_;
  std::vector<Word> words_;
  std::vector<std::string> folded_;
  std::vector<FoundProvision> provisions_;
  QuestionForm form_;
  size_t at_ = 0, next_provision_ = 0;
  size_t skip_gaps_until_ = 0;  // the gaps before these words belong to a token
  std::string currency_;        // of the number that follows
  char determiner_ = 0;         // of the token that follows, and as it was written
  std::string determiner_word_;
  bool has_article_ = true;  // all provisions name an article
  bool has_small_letters_ = false;
};

}  // namespace

std::string_view to_string(FormKind kind) {
  static constexpr std::array<std::string_view, 12> kNames = {"provisions",     "dates",    "amounts",   "numbers",
                                                              "units",          "negation", "opposites", "comparatives",
                                                              "question words", "names",    "words",     "symbols"};
  return kNames[static_cast<size_t>(kind)];
}

QuestionForm read_form(std::string_view text, const LawTable& laws) {
  return FormReader(text, laws).read();
}

std::string QuestionForm::signature() const {
  Sha256 hash;
  hash.update(fmt::format("{} {}", to_string(language), asks_text));
  for (const FormToken& token : tokens) {
    const bool is_text = token.kind >= FormKind::negation && token.kind <= FormKind::word;
    hash.update(fmt::format("\n{}:{}", is_text ? "word" : to_string(token.kind), token.stem));
  }
  return hash.hex().substr(0, 32);
}

}  // namespace frugal
