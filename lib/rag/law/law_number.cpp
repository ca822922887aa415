// A law number is a kind ("Lei Complementar", "DL"), at most three words such as "federal" or "nº", a number, and
// perhaps a year: after a slash or hyphen ("8.078/90") or at the end of a date ("de 11 de setembro de 1990", "de
// 11.7.1984").
//
// split_words() has already folded the words and removed thousands separators and ordinal marks, so kinds and numbers
// are compared word by word. Slashes, hyphens and dots between words are looked up in the text (gap()).
//
// A date that cannot be read gives a number without a year, not an error: LawTable::find_number() still finds the law
// if its number is unique. Numbers are not checked against any list, so a law outside the table has a normal form too.
#include "rag/law/law_number.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/one_of.h"

namespace frugal {
namespace {

struct Kind {
  std::array<std::string_view, 2> words;  // folded; the second may be empty
  std::string_view normal;
};
// The first match is used, so a longer name comes before its prefix.
constexpr Kind kKinds[] = {
    {{"decreto", "lei"}, "decreto-lei"},
    {{"decretos", "leis"}, "decreto-lei"},
    {{"dec", "lei"}, "decreto-lei"},
    {{"dl", ""}, "decreto-lei"},
    {{"del", ""}, "decreto-lei"},
    {{"decreto", "legislativo"}, "decreto-legislativo"},
    {{"decreto", ""}, "decreto"},
    {{"decretos", ""}, "decreto"},
    {{"lei", "complementar"}, "lei-complementar"},
    {{"leis", "complementares"}, "lei-complementar"},
    {{"lc", ""}, "lei-complementar"},
    {{"lcp", ""}, "lei-complementar"},
    {{"lei", "delegada"}, "lei-delegada"},
    {{"lei", ""}, "lei"},
    {{"leis", ""}, "lei"},
    {{"law", ""}, "lei"},
    {{"medida", "provisoria"}, "medida-provisoria"},
    {{"mp", ""}, "medida-provisoria"},
    {{"mpv", ""}, "medida-provisoria"},
    {{"emenda", "constitucional"}, "emenda-constitucional"},
    {{"ec", ""}, "emenda-constitucional"},
};
// Words allowed between the kind and its number: "Lei Federal nº 8.078", "Leis nºs 8.666/93".
constexpr std::string_view kBeforeNumber[] = {"federal", "ordinaria", "no", "nos",   "n",
                                              "num",     "numero",    "nr", "number"};
constexpr std::string_view kMonths[] = {"janeiro", "fevereiro", "marco",    "abril",   "maio",     "junho",
                                        "julho",   "agosto",    "setembro", "outubro", "novembro", "dezembro"};

/// The four-digit year; nullopt for other lengths. Two digits from 30 on are 19xx: laws in use are rarely older.
std::optional<std::string> full_year(std::string_view digits) {
  if (!is_digits(digits)) return std::nullopt;
  if (digits.size() == 4) return std::string(digits);
  if (digits.size() != 2) return std::nullopt;
  return (digits >= "30" ? "19" : "20") + std::string(digits);
}

class NumberReader {
 public:
  NumberReader(std::string_view text, const std::vector<Word>& words, size_t at)
      : text_(text), words_(words), at_(at) {}

  std::optional<LawNumber> read() {
    const size_t begin = at_;
    const std::optional<std::string_view> kind = read_kind();
    if (!kind) return std::nullopt;
    for (int skipped = 0; skipped < 3 && is_one_of(word(), kBeforeNumber); ++skipped) ++at_;
    const std::optional<std::string> number = read_number();
    if (!number) return std::nullopt;
    std::string normal = std::string(*kind) + "/" + *number;
    if (const std::optional<std::string> year = read_year()) normal += "/" + *year;
    return LawNumber{std::move(normal), at_ - begin};
  }

 private:
  std::string_view word(size_t ahead = 0) const {
    return at_ + ahead < words_.size() ? std::string_view(words_[at_ + ahead].folded) : std::string_view();
  }
  /// The text between the word at at_ + ahead and the word before it, without white space.
  std::string gap(size_t ahead = 0) const {
    const size_t next = at_ + ahead;
    if (next == 0 || next >= words_.size()) return {};
    std::string between(text_.substr(words_[next - 1].end, words_[next].begin - words_[next - 1].end));
    std::erase_if(between, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
    return between;
  }

  std::optional<std::string_view> read_kind() {
    for (const Kind& kind : kKinds) {
      const size_t length = kind.words[1].empty() ? 1 : 2;
      if (word() != kind.words[0] || (length == 2 && word(1) != kind.words[1])) continue;
      at_ += length;
      return kind.normal;
    }
    return std::nullopt;
  }

  /// "8.078", or "2.200-2": a provisional measure that is reissued gets a suffix.
  std::optional<std::string> read_number() {
    if (!is_digits(word())) return std::nullopt;
    std::string number(word());
    ++at_;
    if (gap() == "-" && is_digits(word()) && word().size() <= 2) {
      number += "-" + std::string(word());
      ++at_;
    }
    return number;
  }

  std::optional<std::string> read_year() {
    if (gap() == "/" || gap() == "-") {
      std::optional<std::string> year = full_year(word());
      if (year) ++at_;
      return year;
    }
    if (word() != "de" || (gap() != "," && !gap().empty())) return std::nullopt;
    return read_date();
  }

  /// The year of "de 11 de setembro de 1990", "de 11.7.1984", "de 1º/7/2021" or "de 1990".
  std::optional<std::string> read_date() {
    const std::string_view first = word(1);
    if (is_digits(first) && first.size() == 4) return take_year(first, 2);
    if (is_digits(first) && word(2) == "de" && is_one_of(word(3), kMonths))
      return word(4) == "de" ? take_year(word(5), 6) : std::nullopt;
    if (is_digits(first) && gap(2) == "/" && gap(3) == "/") return take_year(word(3), 4);
    const size_t dot = first.rfind('.');
    if (dot != std::string_view::npos) return take_year(first.substr(dot + 1), 2);
    if (is_digits(first) && gap(2) == "." && is_digits(word(2)) && gap(3) == ".") return take_year(word(3), 4);
    if (is_digits(first) && gap(2) == ".") {  // "1º.7.2021": after an ordinal mark, the day is a word of its own
      const size_t last_dot = word(2).rfind('.');
      if (last_dot != std::string_view::npos) return take_year(word(2).substr(last_dot + 1), 3);
    }
    return std::nullopt;
  }
  std::optional<std::string> take_year(std::string_view digits, size_t words) {
    std::optional<std::string> year = full_year(digits);
    if (year) at_ += words;
    return year;
  }

  std::string_view text_;
  const std::vector<Word>& words_;
  size_t at_;
};

}  // namespace

std::optional<LawNumber> read_law_number(std::string_view text, const std::vector<Word>& words, size_t at) {
  return NumberReader(text, words, at).read();
}

}  // namespace frugal
