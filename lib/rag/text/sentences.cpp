// Sentences by rule, in one pass. A sentence ends
// - at a blank line, and at a line break before a list item, a heading or an article of law ("Art. 5º …", "§ 1º …");
// - at . ! ? … with the quotes and brackets that close on it, before space and anything but a lower-case letter, unless
//   the full stop belongs to an abbreviation, an initial ("J. Silva", "U.S."), or the number of a list item;
// - at 。！？ in any position.
// A semicolon does not end a sentence: laws separate their incisos by semicolons.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rag/text/sentences.h"
#include "rag/text/words.h"

namespace frugal {

namespace {

// Folded and sorted; never the last word of a sentence.
constexpr std::array kAbbreviations = std::to_array<std::string_view>(
    {"ac",   "al",   "alin", "arts", "art",  "av",   "cap", "capt", "cel",  "cf",  "cit",  "col",  "coord",
     "dec",  "dep",  "des",  "dist", "doc",  "dr",   "dra", "drs",  "ed",   "eds", "eg",   "eng",  "esq",
     "est",  "ex",   "exma", "exmo", "fig",  "figs", "fl",  "fls",  "gen",  "gov", "hon",  "ibid", "ie",
     "ilma", "ilmo", "lt",   "maj",  "min",  "mr",   "mrs", "ms",   "mt",   "n",   "no",   "nos",  "num",
     "obs",  "op",   "org",  "p",    "pag",  "pags", "par", "pe",   "pg",   "pgs", "pp",   "prof", "profa",
     "proc", "rel",  "rep",  "res",  "rev",  "sec",  "sen", "sgt",  "sr",   "sra", "sras", "srs",  "st",
     "sta",  "sto",  "tel",  "tit",  "trad", "v",    "viz", "vol",  "vols", "vs"});
// May end a sentence, unless a number follows ("inc. IV", "ver. 2").
constexpr std::array kNumbered =
    std::to_array<std::string_view>({"co", "corp", "inc", "incs", "item", "jr", "ltd", "ltda", "ver"});

// Abbreviations that are also words ("no", "min"): they count as abbreviations only before a number; "ex" and "est"
// always do.
constexpr std::array kAlsoWords =
    std::to_array<std::string_view>({"ed", "est", "ex", "min", "no", "nos", "org", "par", "pe", "rep", "res"});

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}
bool is_letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_roman(std::string_view word) {
  return !word.empty() && word.find_first_not_of("IVXLCDM") == word.npos;
}

// The length of the first of `marks` that `text` starts with; 0 if there is none.
size_t starts_with_any(std::string_view text, std::initializer_list<std::string_view> marks) {
  for (const std::string_view mark : marks)
    if (text.starts_with(mark)) return mark.size();
  return 0;
}

size_t terminator_bytes(std::string_view text) {
  return starts_with_any(text, {".", "!", "?", "…"});
}
size_t wide_terminator_bytes(std::string_view text) {
  return starts_with_any(text, {"。", "！", "？"});
}
size_t closer_bytes(std::string_view text) {
  return starts_with_any(text, {"\"", "'", ")", "]", "}", "”", "’", "»", "」", "』", "*", "_"});
}

// True if the line opens a list item, a heading or an article of law.
bool opens_block(std::string_view line) {
  if (starts_with_any(line, {"- ", "* ", "+ ", "• ", "– ", "— ", "#", "|", "§", "Art. ", "ART. ", "Parágrafo único"}))
    return true;
  size_t mark = 0;
  while (mark < line.size() && mark < 8 && (is_digit(line[mark]) || is_roman(line.substr(mark, 1)))) ++mark;
  const std::string_view after = line.substr(mark);
  if (mark > 0 && starts_with_any(after, {". ", ") ", " - ", " – ", " — "})) return true;
  return line.size() > 2 && line[0] >= 'a' && line[0] <= 'z' && line[1] == ')' && line[2] == ' ';
}

class SentenceCursor {
 public:
  explicit SentenceCursor(std::string_view text) : text_(text) {}

  std::vector<Sentence> all() {
    while (at_ < text_.size()) step();
    close(text_.size());
    return std::move(sentences_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    if (rest.front() == '\n') return step_over_line_break();
    if (const size_t wide = wide_terminator_bytes(rest)) {
      at_ = skip_closers(at_ + wide);
      return close(at_);
    }
    if (terminator_bytes(rest) == 0) {
      ++at_;
      return;
    }
    const size_t first = at_;
    while (at_ < text_.size()) {
      const size_t length = terminator_bytes(text_.substr(at_));
      if (length == 0) break;
      at_ += length;
    }
    const bool full_stop = at_ == first + 1 && text_[first] == '.';
    at_ = skip_closers(at_);
    if (ends_here(first, full_stop)) close(at_);
  }

  void step_over_line_break() {
    size_t next = at_ + 1;
    while (next < text_.size() && (text_[next] == ' ' || text_[next] == '\t' || text_[next] == '\r')) ++next;
    const bool blank = next < text_.size() && text_[next] == '\n';
    if (blank || opens_block(text_.substr(next, 64)) || in_heading()) close(at_);
    at_ = std::max(next, at_ + 1);
  }

  bool in_heading() const { return begin_ < text_.size() && text_[begin_] == '#'; }

  size_t skip_closers(size_t at) const {
    while (at < text_.size()) {
      const size_t length = closer_bytes(text_.substr(at));
      if (length == 0) break;
      at += length;
    }
    return at;
  }

  // Whether the terminator at `first`, with at_ just after it and its closers, ends the sentence.
  bool ends_here(size_t first, bool full_stop) const {
    if (at_ == text_.size()) return true;
    if (!is_space(text_[at_])) return false;
    size_t next = at_;
    while (next < text_.size() && is_space(text_[next])) ++next;
    if (next == text_.size()) return true;
    const char32_t follows = decode_utf8(text_, next).value;
    if (utf8proc_islower(static_cast<utf8proc_int32_t>(follows))) return false;
    return !full_stop || !is_abbreviation(first, next);
  }

  // Whether the full stop at `dot` belongs to the word before it, where `next` begins the following word.
  bool is_abbreviation(size_t dot, size_t next) const {
    const size_t begin = word_begin(dot);
    const std::string_view word = text_.substr(begin, dot - begin);
    if (word.empty()) return false;
    if (std::all_of(word.begin(), word.end(), is_digit)) return begin == begin_;  // "1. First item"
    if (word.find('.') != word.npos) return is_dotted_initials(word);
    const bool one_letter = word.size() == decode_utf8(word, 0).num_bytes && is_letter(decode_utf8(word, 0).value);
    if (one_letter && word != "I") return true;
    const std::string folded = fold(word);
    const bool number_follows = is_digit(text_[next]) || is_roman(word_at(next));
    if (contains(kNumbered, folded)) return number_follows;
    if (contains(kAlsoWords, folded)) return number_follows || folded == "ex" || folded == "est";
    return contains(kAbbreviations, folded) || folded == "nº";
  }

  // "U.S", "p.ex", "e.g": every part but the last has one or two letters.
  static bool is_dotted_initials(std::string_view word) {
    size_t run = 0;
    for (const char c : word) {
      if (c == '.') {
        run = 0;
      } else if (is_digit(c) || ++run > 3) {
        return false;
      }
    }
    return true;
  }

  // Start of the run without spaces or brackets that ends at `end`; looks back at most kMaxAbbreviation bytes.
  size_t word_begin(size_t end) const {
    constexpr size_t kMaxAbbreviation = 16;
    size_t begin = end;
    while (begin > begin_ && end - begin < kMaxAbbreviation && !is_space(text_[begin - 1]) && text_[begin - 1] != '(' &&
           text_[begin - 1] != '"' && text_[begin - 1] != '[')
      --begin;
    return begin;
  }

  std::string_view word_at(size_t at) const {
    size_t end = at;
    while (end < text_.size() && end - at < 16 && !is_space(text_[end]) && text_[end] != ',' && text_[end] != '.' &&
           text_[end] != ';')
      ++end;
    return text_.substr(at, end - at);
  }

  // Ends the current sentence before `end`, trimmed; the next begins at the following text.
  void close(size_t end) {
    size_t begin = begin_;
    begin_ = end;
    while (begin < end && is_space(text_[begin])) ++begin;
    while (end > begin && is_space(text_[end - 1])) --end;
    if (end > begin) sentences_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    while (begin_ < text_.size() && is_space(text_[begin_])) ++begin_;
    at_ = std::max(at_, begin_);
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t begin_ = 0;
  std::vector<Sentence> sentences_;
};

}  // namespace

std::vector<Sentence> split_sentences(std::string_view text) {
  return SentenceCursor(text).all();
}

}  // namespace frugal
