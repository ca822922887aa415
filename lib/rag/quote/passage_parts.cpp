// The rules, by role; the first that holds decides.
//
// - layout: begins as a row of a table, a fence or a rule of Markdown.
// - question: ends with a question mark, also in emphasis or in a heading; or begins with "Q:", "P:", "Pergunta:".
// - heading: "#", a line underlined by = or -, a line in bold, a line in capitals, a division of a law ("CAPÍTULO II");
//   and a short line without a full stop or a number that stands alone above a sentence.
// - note: stands in brackets and tells where a provision comes from or that it is gone.
// - links: at least seven tenths of its bytes are Markdown's links, of which there are two or more, or one and another
//   such part beside it; or definitions of links.
// - closing: place and date; "Sincerely,"; names in capitals with others below; a roll
//   of many names; and names below one of these.
//
// A statement is what is left.
#include "rag/quote/passage_parts.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/ascii.h"
#include "base/one_of.h"
#include "rag/guard/word_classes.h"
#include "rag/law/legal.h"
#include "rag/text/sentences.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr size_t kMaxTitleWords = 6;
constexpr size_t kMaxClosingWords = 4;
constexpr double kLinkShare = 0.7;

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> marks) {
  return std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) { return text.starts_with(mark); });
}

std::string_view first_line(std::string_view text) {
  return trim(text.substr(0, text.find('\n')));
}

// Without emphasis, quotes and brackets at its end.
std::string_view without_closers(std::string_view text) {
  for (;;) {
    const size_t size = text.size();
    while (!text.empty() && std::string_view("*_\"'`)]#> \n").find(text.back()) != text.npos) text.remove_suffix(1);
    for (const std::string_view quote : {"”", "’", "»"})
      if (text.ends_with(quote)) text.remove_suffix(quote.size());
    if (text.size() == size) return text;
  }
}

// The bytes of "Q: ", "Resposta: " and the like, in any emphasis; 0: there is none.
size_t label_bytes(std::string_view text, std::initializer_list<std::string_view> labels) {
  constexpr size_t kMaxLabelBytes = 10;
  const size_t at = std::min(text.find_first_not_of("*_"), text.size()), colon = text.find(':', at);
  if (colon == text.npos || colon - at > kMaxLabelBytes || !is_one_of(fold(text.substr(at, colon - at)), labels))
    return 0;
  const size_t space = std::min(text.find_first_not_of("*_", colon + 1), text.size());
  const size_t words = std::min(text.find_first_not_of(" \n", space), text.size());
  return words > space && words < text.size() ? words : 0;
}
size_t question_label(std::string_view text) {
  return label_bytes(text, {"q", "p", "question", "pergunta"});
}
size_t answer_label(std::string_view text) {
  return label_bytes(text, {"a", "r", "answer", "resposta"});
}

bool is_question(std::string_view words) {
  const std::string_view bare = without_closers(words);
  if (bare.ends_with('?') || bare.ends_with("？")) return true;
  if (question_label(words) == 0) return false;
  for (size_t line = words.find('\n'); line != words.npos; line = words.find('\n', line + 1))
    if (answer_label(trim(words.substr(line))) > 0) return false;
  return true;
}

// How the words of a text are written, articles and prepositions aside.
struct Capitals {
  size_t words = 0, capitalised = 0, upper = 0;
  size_t first_upper = 0;  // words in capitals before any other
  bool has_digit = false;
};

// The letters of Latin-1 are all that names in English and Portuguese need: 0xC3 and a second byte.
bool is_capital_at(std::string_view word, size_t at) {
  const auto byte = static_cast<unsigned char>(word[at]);
  if (byte != 0xC3 || at + 1 >= word.size()) return 'A' <= byte && byte <= 'Z';
  return static_cast<unsigned char>(word[at + 1]) < 0x9F;
}
bool has_small_letter(std::string_view word) {
  for (size_t at = 0; at < word.size(); ++at)
    if (('a' <= word[at] && word[at] <= 'z') || (word[at] == '\xC3' && !is_capital_at(word, at))) return true;
  return false;
}

Capitals capitals_of(std::string_view text) {
  Capitals found;
  for (const Word& word : split_words(text)) {
    if (is_one_of(word.folded, {"de", "da", "do", "das", "dos", "e", "a", "o", "of", "the", "and", "von", "van"}))
      continue;
    const std::string_view written = text.substr(word.begin, word.end - word.begin);
    const bool capital = is_capital_at(written, 0), upper = capital && written.size() > 1 && !has_small_letter(written);
    found.has_digit |= std::any_of(written.begin(), written.end(), is_digit);
    found.first_upper += upper && found.first_upper == found.words;
    ++found.words;
    found.upper += upper;
    found.capitalised += capital;
  }
  return found;
}

bool has_terminal(std::string_view words) {
  const std::string_view bare = without_closers(words);
  return !bare.empty() && std::string_view(".!?;:,").find(bare.back()) != bare.npos;
}

bool is_underlined(std::string_view words) {
  const size_t line = words.rfind('\n');
  if (line == words.npos) return false;
  const std::string_view rule = trim(words.substr(line + 1));
  return rule.size() >= 3 && (rule.find_first_not_of('=') == rule.npos || rule.find_first_not_of('-') == rule.npos);
}

bool is_bold_line(std::string_view words) {
  return words.size() > 4 && words.starts_with("**") && words.find("**", 2) == words.size() - 2 &&
         words.find('\n') == words.npos && !words.substr(0, words.size() - 2).ends_with('.');
}

bool is_heading(std::string_view words, bool is_last) {
  if (words.starts_with('#') || is_underlined(words) || is_bold_line(words)) return true;
  if (has_terminal(words)) return false;
  if (is_division_heading(first_line(words))) return true;
  const Capitals capitals = capitals_of(words);
  return !is_last && capitals.words >= 1 && capitals.upper == capitals.words && capitals.words <= 16;
}

bool is_note(std::string_view words) {
  constexpr size_t kMaxBytes = 300;
  words = trim(words);
  while (words.ends_with('.') || words.ends_with(';')) words.remove_suffix(1);
  if (words.size() > kMaxBytes || !words.starts_with('(') || !words.ends_with(')')) return false;
  const std::vector<Word> split = split_words(words);
  return std::any_of(split.begin(), split.end(), [](const Word& word) {
    for (const std::string_view stem :
         {"redacao", "incluid", "revogad", "acrescid", "acrescentad", "vetad", "renumerad", "suprimid", "regulament",
          "vigencia", "amended", "repealed", "inserted", "substituted", "omitted"})
      if (word.folded.starts_with(stem)) return true;
    return word.folded == "vide";
  });
}

// The bytes of a Markdown link at the start of `text`: "[text](target)", "![text](target)" or "[text][name]".
size_t link_bytes(std::string_view text) {
  const size_t open = text.starts_with("![") ? 1 : 0;
  if (text.size() <= open || text[open] != '[') return 0;
  const size_t close = text.find(']', open);
  if (close == text.npos || close + 1 >= text.size()) return 0;
  const char target = text[close + 1];
  if (target != '(' && target != '[') return 0;
  const size_t end = text.find(target == '(' ? ')' : ']', close + 2);
  return end == text.npos ? 0 : end + 1;
}

bool is_link_definition(std::string_view words) {
  const size_t close = words.starts_with('[') ? words.find("]: ") : words.npos;
  return close != words.npos && close > 1 && words[1] != '^' && words.substr(0, close).find('\n') == words.npos;
}

struct LinkCount {
  size_t links = 0, linked = 0, other = 0;  // bytes, white space and bullets aside
  bool is_mostly_links() const {
    return links > 0 && static_cast<double>(linked) >= kLinkShare * static_cast<double>(linked + other);
  }
};
LinkCount count_links(std::string_view words) {
  LinkCount count;
  for (size_t at = 0; at < words.size();) {
    if (const size_t bytes = link_bytes(words.substr(at))) {
      ++count.links;
      count.linked += bytes;
      at += bytes;
      continue;
    }
    count.other += std::string_view(" \n\t-*+|>").find(words[at]) == std::string_view::npos;
    ++at;
  }
  return count;
}

bool is_place_and_date(std::string_view words) {
  constexpr size_t kMaxBytes = 160, kMaxPlaceWords = 5;
  if (words.size() > kMaxBytes) return false;
  const std::vector<Word> split = split_words(words);
  const auto folded = [&](size_t i) {
    return i < split.size() ? std::string_view(split[i].folded) : std::string_view();
  };
  size_t day = 0;
  while (day < split.size() && !is_digit(folded(day)[0])) ++day;
  if (day == 0 || day > kMaxPlaceWords || folded(day).size() > 2 || folded(day + 1) != "de" || folded(day + 3) != "de")
    return false;
  if (month_of(folded(day + 2), Language::portuguese) == 0 || folded(day + 4).size() != 4) return false;
  const std::string_view place = words.substr(0, split[day].begin), comma = trim(place);
  const Capitals capitals = capitals_of(place);
  if (!comma.ends_with(',') || capitals.capitalised != capitals.words) return false;
  for (size_t i = day + 5; i < split.size(); ++i)
    if (!is_digit(folded(i)[0]) && !is_one_of(folded(i), {"da", "e", "independencia", "republica"})) return false;
  return true;
}

bool is_farewell(std::string_view words) {
  const std::string_view line = first_line(words);
  const std::vector<Word> split = split_words(line);
  if (split.empty() || split.size() > kMaxClosingWords || !line.ends_with(',')) return false;
  return std::any_of(split.begin(), split.end(), [](const Word& word) {
    return is_one_of(word.folded, {"atenciosamente", "cordialmente", "respeitosamente", "saudacoes", "abracos",
                                   "sincerely", "faithfully", "regards", "cordially", "respectfully"});
  });
}

// Names: no full stop, every word with a capital.
bool is_names(std::string_view words) {
  const Capitals capitals = capitals_of(words);
  return !has_terminal(words) && !capitals.has_digit && capitals.words >= 2 && capitals.capitalised == capitals.words;
}

// Two names in capitals and others, or a roll of names.
bool is_signature(std::string_view words) {
  constexpr size_t kRoll = 12;
  const Capitals capitals = capitals_of(words);
  if (!capitals.has_digit && capitals.words >= kRoll && capitals.capitalised == capitals.words) return true;
  return is_names(words) && capitals.first_upper >= 2;
}

bool is_label(char c) {
  return is_digit(c) || ('a' <= ascii_lower(c) && ascii_lower(c) <= 'z');
}

// The kind of label that makes a list item of a sentence, in any emphasis; 0: none.
char item_mark(std::string_view sentence) {
  constexpr size_t kMaxLabelBytes = 24;
  if (starts_with_any(sentence, {"- ", "* ", "+ ", "• ", "– ", "— "})) return '-';
  std::string start(sentence.substr(0, kMaxLabelBytes));
  std::erase_if(start, [](char c) { return c == '*' || c == '_'; });
  // "1. ", "2) ", "a) ", "IV - ", "XII – "
  size_t label = 0;
  while (label < start.size() && label < 6 && is_label(start[label])) ++label;
  if (label == 0) return 0;
  const std::string_view rest = std::string_view(start).substr(label), word = std::string_view(start).substr(0, label);
  const bool is_roman = word.find_first_not_of("IVXLCDM") == word.npos;
  if (rest.starts_with(") ")) return is_digits(word) ? '1' : is_roman ? 'I' : 'a';
  if (rest.starts_with(". ")) return is_digits(word) ? '1' : 0;
  return is_roman && starts_with_any(rest, {" - ", " – ", " — "}) ? 'I' : 0;
}

// The bytes of no-break and typographic spaces (U+2000 to U+200A) and byte-order marks at the start of a text.
size_t leading_spaces(std::string_view text) {
  size_t at = 0;
  for (;;) {
    const std::string_view rest = text.substr(at);
    const bool typographic =
        rest.size() > 2 && rest.starts_with("\xE2\x80") && static_cast<unsigned char>(rest[2]) <= 0x8A;
    if (rest.starts_with("\u00a0"))
      at += 2;
    else if (typographic || rest.starts_with("\uFEFF"))
      at += 3;
    else if (rest.starts_with(' '))
      ++at;
    else
      return at;
  }
}

}  // namespace

bool ends_with_colon(std::string_view text) {
  for (;;) {
    text = trim(text);
    if (text.ends_with(':')) return true;
    const size_t open = text.rfind('(');
    if (open == text.npos || !is_note(text.substr(open))) return false;
    text = text.substr(0, open);
  }
}

PassageParts::PassageParts(std::string_view text) : text_(text) {
  for (const Sentence& sentence : split_sentences(text)) {
    parts_.push_back({{sentence.begin, sentence.end}, PartRole::statement, 0, 0});
    const std::string_view said = words(parts_.size() - 1);
    size_t line = text.rfind('\n', sentence.begin);
    line = line == text.npos ? 0 : line + 1;
    parts_.back().mark = item_mark(said);
    parts_.back().indent = static_cast<uint32_t>(sentence.end - said.size() - line);
  }
  find_layout_roles();
  find_links();
  find_closings();
}

void PassageParts::find_layout_roles() {
  for (size_t i = 0; i < parts_.size(); ++i) {
    PartRole& role = parts_[i].role;
    const std::string_view said = words(i);
    if (starts_with_any(said, {"|", "```", "---", "==="}))
      role = PartRole::layout;
    else if (is_question(said))
      role = PartRole::question;
    else if (is_note(said))
      role = PartRole::note;
    else if (!is_item(i) && (is_heading(said, i + 1 == parts_.size()) || is_title(i)))
      role = PartRole::heading;
  }
}

// A short line that stands alone above a sentence.
bool PassageParts::is_title(size_t part) const {
  if (part + 1 >= parts_.size() || has_terminal(words(part)) || !has_terminal(words(part + 1))) return false;
  if (is_item(part + 1) || words(part).find('\n') != std::string_view::npos) return false;
  if (part > 0 && (introduces(part - 1) || is_item(part - 1) || !has_terminal(words(part - 1)))) return false;
  const Capitals capitals = capitals_of(words(part));
  return !capitals.has_digit && capitals.words >= 1 && capitals.words <= kMaxTitleWords && capitals.capitalised >= 1;
}

void PassageParts::find_links() {
  std::vector<LinkCount> counts;
  for (size_t i = 0; i < parts_.size(); ++i) counts.push_back(count_links(words(i)));
  for (size_t i = 0; i < parts_.size(); ++i) {
    const bool beside =
        (i > 0 && counts[i - 1].is_mostly_links()) || (i + 1 < parts_.size() && counts[i + 1].is_mostly_links());
    const bool is_list = counts[i].is_mostly_links() && (counts[i].links > 1 || beside);
    if (parts_[i].role == PartRole::statement && (is_list || is_link_definition(words(i))))
      parts_[i].role = PartRole::links;
  }
}

void PassageParts::find_closings() {
  bool closes = false;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const std::string_view said = words(i);
    const bool can_close = parts_[i].role == PartRole::statement || (closes && parts_[i].role == PartRole::heading);
    closes = can_close && !is_item(i) &&
             (is_place_and_date(said) || is_farewell(said) || is_signature(said) || (closes && is_names(said)));
    if (closes) parts_[i].role = PartRole::closing;
  }
}

std::string_view PassageParts::words(size_t part) const {
  const TextRange range = parts_[part].range;
  const std::string_view said = text_.substr(range.begin, range.end - range.begin);
  return said.substr(leading_spaces(said));
}

size_t PassageParts::at(uint32_t byte) const {
  const auto after = std::upper_bound(parts_.begin(), parts_.end(), byte,
                                      [](uint32_t b, const Part& part) { return b < part.range.begin; });
  return after == parts_.begin() ? 0 : static_cast<size_t>(after - parts_.begin()) - 1;
}

bool PassageParts::is_deeper(size_t inner, size_t outer) const {
  const Part &in = parts_[inner], &out = parts_[outer];
  if (in.mark == 0 || out.mark == 0) return false;
  return in.indent > out.indent || (in.indent == out.indent && in.mark != out.mark);
}

bool PassageParts::introduces(size_t part) const {
  return ends_with_colon(words(part));
}

std::optional<size_t> PassageParts::answer_to(size_t part) const {
  for (size_t i = part + 1; i < count(); ++i) {
    if (role(i) == PartRole::statement || role(i) == PartRole::layout) return i;
    // A list of questions has no answers; a heading may ask what the text asks again.
    if (role(i) == PartRole::question && role(i - 1) == PartRole::question &&
        words(i).starts_with('#') == words(i - 1).starts_with('#'))
      return std::nullopt;
    if (role(i) == PartRole::links || role(i) == PartRole::closing) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<size_t> PassageParts::question_of(size_t statement) const {
  for (size_t i = statement; i-- > 0;) {
    if (role(i) == PartRole::question) return answer_to(i) == statement ? std::optional(i) : std::nullopt;
    if (role(i) != PartRole::heading && role(i) != PartRole::note) return std::nullopt;
  }
  return std::nullopt;
}

size_t PassageParts::block_end(size_t statement) const {
  size_t end = statement + 1;
  while (end < count() && role(end) != PartRole::question && role(end) != PartRole::heading) ++end;
  return end;
}

uint32_t PassageParts::begin_of_words(size_t part) const {
  const std::string_view said = words(part);
  const size_t label = answer_label(said);
  return label == 0 ? range(part).begin : range(part).end - static_cast<uint32_t>(said.size() - label);
}

}  // namespace frugal
