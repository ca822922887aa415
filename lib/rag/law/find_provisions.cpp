// Parses references as people write them, in one pass over the words of a text.
//
// The words are grouped into clauses. A clause is a run of parts (article, §, inciso, alínea), laws, and connectors
// between them ("do", "e", "c/c"). Any other word ends it; so do a blank line, a question or exclamation mark, and the
// end of a sentence. Inside a clause:
//
// - A part after an article belongs to it: "art. 5º, § 1º, II". A second part of the same level is another reference to
//   the same article: "art. 5º, I e II" gives two.
// - A part before "do art. …" waits in pending_ for the article that follows: "inciso II do § 1º do art. 5º".
// - A law applies to the articles before it, back to the previous law: "arts. 5º e 6º da CF".
// - A law at the beginning applies to the articles after it: "CP, art. 121". Without any, the law itself is the
//   reference.
// - Elements of a list need no label: ", XXXII", "e 6º". "arts. 44 a 47" gives every article of the range.
//
// A law is a name of the LawTable, or a kind and number (law_number.h); the longer of the two is used. A short name
// that is also an everyday word ("cc") counts only in capitals or beside an article. A law "do Estado" or "municipal"
// is not the federal law of that name, so its articles have no law.
//
// Laws at the beginning are known to be references only when their clause ends. The result is therefore sorted at the
// end.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/one_of.h"
#include "rag/law/law_number.h"
#include "rag/law/legal.h"
#include "rag/law/number_words.h"
#include "rag/law/provision.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr std::array<std::string_view, 8> kArticleWords = {"art",     "arts",     "artigo",  "artigos",
                                                           "article", "articles", "section", "sections"};
constexpr std::array<std::string_view, 4> kPluralArticleWords = {"arts", "artigos", "articles", "sections"};
constexpr std::array<std::string_view, 5> kParagraphWords = {"paragrafo", "paragrafos", "par", "paragraph",
                                                             "paragraphs"};
constexpr std::array<std::string_view, 4> kItemWords = {"inciso", "incisos", "inc", "incs"};
constexpr std::array<std::string_view, 5> kLetterWords = {"alinea", "alineas", "al", "letra", "letras"};
// Words that may stand inside a clause.
constexpr std::array<std::string_view, 22> kConnectors = {"de", "do",  "da",  "dos",       "das", "e",   "ou", "no",
                                                          "na", "nos", "nas", "of",        "the", "and", "or", "caput",
                                                          "c",  "com", "ao",  "combinado", "in",  "seu"};
constexpr std::array<std::string_view, 3> kListWords = {"e", "ou", "and"};
constexpr std::array<std::string_view, 3> kRangeWords = {"a", "ao", "to"};
constexpr std::array<std::string_view, 5> kOfWords = {"do", "da", "dos", "das", "of"};
constexpr int kMaxRange = 60;  // "arts. 1º a 99": a range longer than this names a part of a law, not articles

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return result;
}

class ReferenceReader {
 public:
  ReferenceReader(std::string_view text, const std::vector<Word>& words, const LawTable& laws)
      : text_(text), laws_(laws), words_(words) {
    for (const Word& word : words_) folded_.push_back(word.folded);
  }

  std::vector<FoundProvision> all() {
    while (at_ < words_.size()) {
      if (breaks_before(at_)) finish_clause();
      if (read_article() || read_paragraph() || read_item() || read_letter() || read_law() || read_list_element())
        continue;
      if (!is_one_of(folded_[at_], kConnectors)) finish_clause();
      ++at_;
    }
    finish_clause();
    std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    return std::move(found_);
  }

 private:
  enum class Part { none, article, paragraph, item, letter };

  std::string_view word(size_t at) const {
    return at < folded_.size() ? std::string_view(folded_[at]) : std::string_view();
  }
  std::string_view written(size_t at) const {
    return at < words_.size() ? text_.substr(words_[at].begin, words_[at].end - words_[at].begin) : std::string_view();
  }
  std::string_view gap(size_t at) const {
    if (at >= words_.size()) return {};
    const size_t begin = at == 0 ? 0 : words_[at - 1].end;
    return text_.substr(begin, words_[at].begin - begin);
  }
  bool gap_has(size_t at, std::string_view sign) const { return gap(at).find(sign) != std::string_view::npos; }

  /// True if a blank line, a question or exclamation mark or the end of a sentence precedes the word.
  bool breaks_before(size_t at) const {
    if (at == 0) return false;
    const std::string_view between = gap(at);
    if (between.find_first_of("?!") != std::string_view::npos || between.find("\n\n") != std::string_view::npos)
      return true;
    const char first = text_[words_[at].begin];
    const bool sentence = between.starts_with(".") && between.size() > 1 && first >= 'A' && first <= 'Z';
    return sentence && last_ != Part::none && !names_law(at);
  }

  /// A number in words: "quinto", "cento e vinte e um". "Um" and "one" are numbers only where nothing follows that they
  /// could be the article of: "o artigo um do Código", not "o artigo um tanto confuso".
  std::optional<std::string> read_spelled(size_t& at) const {
    const std::optional<SpelledNumber> number = read_spelled_number(folded_, at);
    if (!number) return std::nullopt;
    const size_t next = at + number->words;
    const bool alone = number->words == 1 && (word(at) == "um" || word(at) == "one");
    const bool ends = next >= words_.size() || is_one_of(word(next), kConnectors) ||
                      gap(next).find_first_not_of(" \n\t\r") != std::string_view::npos;
    if (alone && !ends) return std::nullopt;
    at = next;
    return std::to_string(number->value);
  }

  bool ends_in_words(size_t next) const { return read_spelled_number(folded_, next - 1).has_value(); }

  /// Parses a number such as "121-A" or "quinto" at `at`, and moves `at` past it.
  std::optional<std::string> read_number(size_t& at) const {
    if (auto spelled = read_spelled(at)) return spelled;
    const std::string_view number = word(at);
    const size_t digits = std::min(number.find_first_not_of("0123456789"), number.size());
    if (digits == 0 || digits > 6 || (digits < number.size() && number[digits] != '-')) return std::nullopt;
    std::string value = upper(number);
    ++at;
    const bool letter_follows = digits == number.size() && gap(at) == "-" && written(at).size() == 1 &&
                                std::isalpha(static_cast<unsigned char>(written(at)[0]));
    if (letter_follows) value += "-" + upper(written(at++));
    return value;
  }

  /// A Roman numeral in capitals; with any_case (after the word "inciso") also in lower case, in digits or in words.
  std::optional<std::string> read_item_number(size_t& at, bool any_case) const {
    if (is_digits(word(at))) return any_case ? read_number(at) : std::nullopt;
    const std::optional<int> value = roman_value(any_case ? upper(written(at)) : std::string(written(at)));
    if (!value) return any_case ? read_spelled(at) : std::nullopt;
    ++at;
    std::string number = std::to_string(*value);
    if (gap(at) == "-" && written(at).size() == 1 && written(at)[0] >= 'A' && written(at)[0] <= 'Z')
      number += "-" + std::string(written(at++));
    return number;
  }

  bool read_article() {
    if (!is_one_of(word(at_), kArticleWords)) return false;
    size_t next = at_ + 1;
    if (gap(next).size() > 4) return false;
    std::optional<std::string> number = read_number(next);
    if (!number && (word(at_) == "article" || word(at_) == "articles")) number = read_item_number(next, false);
    if (!number) return false;
    plural_ = is_one_of(word(at_), kPluralArticleWords);
    add_article(*number, words_[at_].begin, next);
    return true;
  }

  void add_article(const std::string& number, uint32_t begin, size_t next) {
    FoundProvision found{pending_, begin, words_[next - 1].end};
    if (has_pending_) found.begin = std::min(found.begin, pending_begin_);
    found.reference.article = number;
    found.reference.law = lead_law_;
    last_in_words_ = ends_in_words(next);
    lead_used_ = true;
    pending_ = {};
    has_pending_ = false;
    clause_.push_back(std::move(found));
    last_ = Part::article;
    at_ = next;
  }

  bool read_paragraph() {
    const bool sign = gap_has(at_, "§");
    size_t next = at_ + (sign ? 0 : 1);
    if (!sign && !is_one_of(word(at_), kParagraphWords)) return false;
    std::optional<std::string> number;
    if (word(next) == "unico") {
      number = "unico";
      ++next;
    } else {
      number = read_number(next);
    }
    if (!number) return false;
    const size_t sign_at = sign ? gap(at_).find("§") + (at_ == 0 ? 0 : words_[at_ - 1].end) : words_[at_].begin;
    plural_ = gap_has(at_, "§§") || word(at_) == "paragrafos";
    last_in_words_ = ends_in_words(next);
    add_part(Part::paragraph, *number, static_cast<uint32_t>(sign_at), next);
    return true;
  }

  bool read_item() {
    if (!is_one_of(word(at_), kItemWords)) return false;
    size_t next = at_ + 1;
    const std::optional<std::string> number = read_item_number(next, true);
    if (!number) return false;
    add_part(Part::item, *number, words_[at_].begin, next);
    return true;
  }

  bool read_letter() {
    if (!is_one_of(word(at_), kLetterWords) || word(at_ + 1).size() != 1 || is_digits(word(at_ + 1))) return false;
    add_part(Part::letter, std::string(word(at_ + 1)), words_[at_].begin, at_ + 2);
    return true;
  }

  /// An element of a list without a label: ", XXXII" after an article, "e 6º" after "arts. 5º", "“a”" after an inciso.
  bool read_list_element() {
    if (last_ == Part::none || at_ == 0) return false;
    const bool listed = gap_has(at_, ",") || gap_has(at_, "/") || is_one_of(word(at_ - 1), kListWords);
    size_t next = at_;
    if (is_one_of(word(at_), kRangeWords) && last_ == Part::article && plural_) return read_range();
    if (listed) {
      if (const auto item = read_item_number(next, false)) {
        add_part(Part::item, *item, words_[at_].begin, next);
        return true;
      }
      // In words only after a number in words: "artigos dezoito e dezenove", not "arts. 5º e 6º, dois dos quais".
      const bool in_words = last_in_words_ && word(at_) != "um" && word(at_) != "one";
      const auto number = in_words || is_digits(word(at_).substr(0, 1)) ? read_number(next) : std::nullopt;
      const bool article_list = number && (plural_ || (last_ == Part::article && is_one_of(word(next), kOfWords)));
      if (article_list && last_ == Part::paragraph && plural_) {
        add_part(Part::paragraph, *number, words_[at_].begin, next);
        return true;
      }
      if (article_list) {
        add_article(*number, words_[at_].begin, next);
        return true;
      }
    }
    const bool quoted = gap_has(at_, "\"") || gap_has(at_, "“") || gap_has(at_, "'") || gap_has(at_, "‘");
    if (quoted && written(at_).size() == 1 && word(at_)[0] >= 'a' && word(at_)[0] <= 'z') {
      add_part(Part::letter, std::string(word(at_)), words_[at_].begin, at_ + 1);
      return true;
    }
    return false;
  }

  /// "arts. 44 a 47": every article of the range, if both ends are plain numbers.
  bool read_range() {
    size_t next = at_ + 1;
    const std::optional<std::string> last = read_number(next);
    const std::string first = clause_.back().reference.article;
    if (!last || !is_digits(first) || !is_digits(*last)) return false;
    const int from = std::stoi(first), to = std::stoi(*last);
    if (to <= from || to - from > kMaxRange) return false;
    const uint32_t begin = words_[at_ + 1].begin;
    for (int number = from + 1; number <= to; ++number) add_article(std::to_string(number), begin, next);
    return true;
  }

  static std::string& field(Provision& reference, Part part) {
    switch (part) {
      case Part::paragraph:
        return reference.paragraph;
      case Part::item:
        return reference.item;
      default:
        return reference.letter;
    }
  }

  void add_part(Part part, const std::string& value, uint32_t begin, size_t next) {
    if (clause_.empty() || ascends_at(next)) {
      if (!has_pending_) pending_begin_ = begin;
      has_pending_ = true;
      field(pending_, part) = value;
    } else {
      attach_to_article(part, value, begin, words_[next - 1].end);
    }
    last_ = part;
    at_ = next;
  }

  /// Adds the part to the last article. A second part of the same level starts another reference.
  void attach_to_article(Part part, const std::string& value, uint32_t begin, uint32_t end) {
    FoundProvision* last = &clause_.back();
    if (!field(last->reference, part).empty()) {
      clause_.push_back(*last);
      last = &clause_.back();
      last->begin = begin;
    }
    if (part == Part::paragraph) last->reference.item.clear();
    if (part != Part::letter) last->reference.letter.clear();
    field(last->reference, part) = value;
    last->end = end;
  }

  /// True if "do art. 5º" or "do § 1º" follows: the part just read belongs to a later article.
  bool ascends_at(size_t at) const {
    if (!is_one_of(word(at), kOfWords)) return false;
    size_t next = at + 1;
    if (word(next) == "caput" || word(next) == "the") ++next;
    if (word(next) == "caput" || is_one_of(word(next), kOfWords)) ++next;
    return gap_has(next, "§") || is_one_of(word(next), kArticleWords) || is_one_of(word(next), kParagraphWords) ||
           is_one_of(word(next), kItemWords);
  }

  struct NamedLaw {
    std::string id;
    size_t words = 0;
    bool by_short_name = false;  // one short word: "CP", "cc"
  };
  std::optional<NamedLaw> names_law(size_t at) const {
    std::optional<NamedLaw> named;
    if (const auto number = read_law_number(text_, words_, at))
      named = NamedLaw{laws_.find_number(number->normal).value_or(number->normal), number->words, false};
    if (const auto match = laws_.match(folded_, at); match && (!named || match->words >= named->words))
      named = NamedLaw{match->law, match->words, match->words == 1 && written(at).size() <= 5};
    if (!named || is_of_a_state(at + named->words)) return std::nullopt;
    return named;
  }
  /// True if the name goes on as in "Constituição do Estado de São Paulo", which is not the federal Constitution.
  bool is_of_a_state(size_t at) const {
    return word(at) == "estadual" || word(at) == "municipal" || (word(at) == "do" && word(at + 1) == "estado");
  }

  bool read_law() {
    const std::optional<NamedLaw> named = names_law(at_);
    if (!named) return false;
    const bool follows_article = last_ != Part::none && !clause_.empty();
    // Short names are also everyday words ("cc", "eca"): without an article beside them they count only in capitals.
    const std::string_view name = written(at_);
    const bool capitals = name == upper(name);
    const bool article_follows = is_one_of(word(at_ + named->words), kArticleWords);
    if (named->by_short_name && !capitals && !follows_article && !article_follows) return false;
    const uint32_t begin = words_[at_].begin;
    size_t next = at_ + named->words;
    if (gap(next) == "/" && is_digits(word(next)) && (word(next).size() == 2 || word(next).size() == 4)) ++next;
    const uint32_t end = words_[next - 1].end;
    at_ = next;
    if (follows_article) {
      bind(named->id, end);
    } else if (named->id != last_law_) {  // "Lei 8.078/1990 (CDC)" names one law twice
      finish_clause();
      lead_law_ = named->id;
      lead_begin_ = begin;
      lead_end_ = end;
      lead_used_ = false;
    }
    last_law_ = named->id;
    return true;
  }

  void bind(const std::string& law, uint32_t end) {
    for (FoundProvision& found : clause_) {
      found.reference.law = law;
      found.end = &found == &clause_.back() ? std::max(found.end, end) : found.end;
    }
    if (clause_.empty()) return;
    flush_found();
    lead_law_.clear();
  }

  void flush_found() {
    found_.insert(found_.end(), clause_.begin(), clause_.end());
    clause_.clear();
    last_ = Part::none;
  }

  void finish_clause() {
    flush_found();
    if (!lead_law_.empty() && !lead_used_)
      found_.push_back({Provision{lead_law_, "", "", "", ""}, lead_begin_, lead_end_});
    lead_law_.clear();
    last_law_.clear();
    pending_ = {};
    has_pending_ = false;
    plural_ = false;
  }

  std::string_view text_;
  const LawTable& laws_;
  const std::vector<Word>& words_;
  std::vector<std::string> folded_;
  size_t at_ = 0;
  std::vector<FoundProvision> found_;

  // The clause being read.
  std::vector<FoundProvision> clause_;  // its articles; their law may follow
  Part last_ = Part::none;
  bool plural_ = false;         // after "arts." or "§§": numbers without a label continue the list
  bool last_in_words_ = false;  // so was the number of the last article or paragraph
  Provision pending_;           // parts of an article that follows
  bool has_pending_ = false;
  uint32_t pending_begin_ = 0;
  std::string lead_law_;                    // the law at the beginning of the clause
  uint32_t lead_begin_ = 0, lead_end_ = 0;  // its byte range
  bool lead_used_ = true;                   // an article has it
  std::string last_law_;
};

}  // namespace

std::string to_string(const Provision& reference) {
  std::string text;
  const auto append = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}{}{}", text.empty() ? "" : ", ", label, value);
  };
  append("", reference.law);
  append("art. ", reference.article);
  append("§ ", reference.paragraph);
  append("inciso ", reference.item);
  append("alínea ", reference.letter);
  return text;
}

std::vector<FoundProvision> find_provisions(std::string_view text, const LawTable& laws) {
  return find_provisions(text, split_words(text), laws);
}

std::vector<FoundProvision> find_provisions(std::string_view text, const std::vector<Word>& words,
                                            const LawTable& laws) {
  return ReferenceReader(text, words, laws).all();
}

}  // namespace frugal
