// How generated text is checked. The prompt asks for the number of a source, like "[1]", after every statement. Small
// generators forget marks, cite sources that do not exist, and invent facts. So a statement counts only if the words of
// a source support it, and a mark is no more than a hint which source that is:
//
// 1. Marks are removed, and the byte where each stood is remembered: a mark before or after a full stop would otherwise
//    disturb the split into sentences.
// 2. The text is split into sentences. A sentence gets the marks within it and those between it and the next sentence.
// 3. Each sentence is compared with the sources. Its support by a source is the share of its distinct stems that the
//    title and text of the source contain, or 0 if a number is missing there: a wrong year or amount is the worst
//    invention, and the easiest to find. The best of the cited sources is taken; if none reaches min_support, the first
//    source that does, so that a wrong mark does not cost a right statement.
// 4. ground() drops sentences without support. Each of the others gets a new mark for a citation, which quotes the
//    sentence of its source that shares most stems with it.
//
// Only words are compared: a sentence that negates its source, or exchanges subject and object, passes.
#include "rag/answer/answer_generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_set>

#include "base/ascii.h"
#include "rag/answer/cite.h"
#include "rag/answer/evidence.h"
#include "rag/answer/prompt.h"
#include "rag/text/language.h"
#include "rag/text/sentences.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// A mark such as "[3]" or "[1, 2]".
struct Mark {
  std::vector<int64_t> numbers;
  size_t bytes = 0;
};
// Parses a mark at the start of `text`; nullopt for any other bracket.
std::optional<Mark> parse_mark(std::string_view text) {
  if (text.empty() || text[0] != '[') return std::nullopt;
  const size_t close = text.substr(0, 64).find(']');
  if (close == std::string_view::npos) return std::nullopt;
  Mark mark;
  mark.bytes = close + 1;
  for (size_t i = 1; i < close;) {
    int64_t number = 0;
    const auto [stop, status] = std::from_chars(text.data() + i, text.data() + close, number);
    if (status != std::errc()) return std::nullopt;
    mark.numbers.push_back(number);
    i = static_cast<size_t>(stop - text.data());
    while (i < close && (text[i] == ',' || text[i] == ' ')) ++i;
  }
  return mark.numbers.empty() ? std::nullopt : std::optional(mark);
}

bool has_digit(std::string_view word) {
  return std::any_of(word.begin(), word.end(), is_digit);
}

std::unordered_set<std::string> stem_set(std::string_view text, Language language, const Stemmer& stemmer) {
  const std::vector<std::string> stems = content_stems(text, language, stemmer);
  return {stems.begin(), stems.end()};
}

// The share of `stems` that `source` contains; 0 if a stem with a digit is missing.
float support_of(const std::unordered_set<std::string>& stems, const std::unordered_set<std::string>& source) {
  if (stems.empty()) return 0;
  size_t held = 0;
  for (const std::string& stem : stems) {
    if (source.contains(stem)) {
      ++held;
    } else if (has_digit(stem)) {
      return 0;
    }
  }
  return static_cast<float>(held) / static_cast<float>(stems.size());
}

// A sentence without its marks, and the numbers of the sources that they cite.
struct MarkedSentence {
  std::string text;
  std::vector<int64_t> cited;
};

void add_unique(std::vector<int64_t>& numbers, int64_t number) {
  if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
}

// A text without marks, and for each number in a mark the byte of the text where it stood.
struct StrippedText {
  std::string text;
  std::vector<std::pair<size_t, int64_t>> marks;
};
StrippedText strip_marks(std::string_view generated) {
  StrippedText stripped;
  for (size_t i = 0; i < generated.size();) {
    const auto mark = parse_mark(generated.substr(i));
    if (!mark) {
      stripped.text += generated[i++];
      continue;
    }
    // The space before a mark goes with it: both "shown [1]." and "shown. [1]" become "shown.".
    while (!stripped.text.empty() && stripped.text.back() == ' ') stripped.text.pop_back();
    for (const int64_t number : mark->numbers) stripped.marks.emplace_back(stripped.text.size(), number);
    i += mark->bytes;
  }
  return stripped;
}

std::vector<MarkedSentence> split_marked_sentences(std::string_view generated, size_t sources) {
  const StrippedText stripped = strip_marks(generated);
  std::vector<MarkedSentence> result;
  size_t mark = 0;
  const std::vector<Sentence> sentences = split_sentences(stripped.text);
  for (size_t s = 0; s < sentences.size(); ++s) {
    MarkedSentence marked;
    marked.text = collapse_spaces(
        std::string_view(stripped.text).substr(sentences[s].begin, sentences[s].end - sentences[s].begin));
    const size_t last_byte = s + 1 < sentences.size() ? sentences[s + 1].begin : stripped.text.size() + 1;
    for (; mark < stripped.marks.size() && stripped.marks[mark].first < last_byte; ++mark) {
      const int64_t number = stripped.marks[mark].second;
      if (number >= 1 && static_cast<size_t>(number) <= sources) add_unique(marked.cited, number);
    }
    if (!marked.text.empty()) result.push_back(std::move(marked));
  }
  return result;
}

// Cites the sentence of `hit` that shares most stems with `statement`, or the whole text if none shares any.
Citation best_quote(const Hit& hit, std::string_view statement, Language language, const Stemmer& stemmer, int64_t n) {
  const auto wanted = stem_set(statement, language, stemmer);
  const std::string_view text = hit.chunk.text;
  Sentence best{0, static_cast<uint32_t>(text.size())};
  size_t best_shared = 0;
  for (const Sentence& sentence : split_sentences(text)) {
    const auto held = stem_set(text.substr(sentence.begin, sentence.end - sentence.begin), language, stemmer);
    const auto shared = static_cast<size_t>(
        std::count_if(wanted.begin(), wanted.end(), [&](const std::string& stem) { return held.contains(stem); }));
    if (shared <= best_shared) continue;
    best_shared = shared;
    best = sentence;
  }
  return cite(hit, best.begin, best.end, n);
}

}  // namespace

std::vector<CheckedSentence> check_sentences(std::string_view generated, std::span<const Hit> sources,
                                             Language language, float min_support) {
  const Stemmer stemmer(language);
  std::vector<std::unordered_set<std::string>> held;
  for (const Hit& hit : sources) held.push_back(stem_set(hit.chunk.title + "\n" + hit.chunk.text, language, stemmer));
  std::vector<CheckedSentence> checked;
  for (MarkedSentence& marked : split_marked_sentences(plain_text(generated), sources.size())) {
    CheckedSentence sentence{std::move(marked.text), std::move(marked.cited), 0, 0};
    const auto stems = stem_set(sentence.text, language, stemmer);
    const auto consider = [&](int64_t source) {
      const float support = support_of(stems, held[static_cast<size_t>(source - 1)]);
      if (support < min_support || support <= sentence.support) return;
      sentence.source = source;
      sentence.support = support;
    };
    for (const int64_t source : sentence.cited) consider(source);
    for (int64_t source = 1; sentence.source == 0 && source <= static_cast<int64_t>(sources.size()); ++source)
      consider(source);
    checked.push_back(std::move(sentence));
  }
  return checked;
}

GroundedText ground(const std::vector<CheckedSentence>& sentences, std::span<const Hit> sources, Language language) {
  const Stemmer stemmer(language);
  GroundedText grounded;
  for (const CheckedSentence& sentence : sentences) {
    if (sentence.source == 0) {
      ++grounded.dropped;
      continue;
    }
    const Hit& hit = sources[static_cast<size_t>(sentence.source - 1)];
    Citation citation =
        best_quote(hit, sentence.text, language, stemmer, static_cast<int64_t>(grounded.citations.size()) + 1);
    const auto same = std::find_if(grounded.citations.begin(), grounded.citations.end(), [&](const Citation& earlier) {
      return earlier.id == citation.id && earlier.start_byte == citation.start_byte &&
             earlier.end_byte == citation.end_byte;
    });
    const int64_t n = same != grounded.citations.end() ? same->n : citation.n;
    if (same == grounded.citations.end()) grounded.citations.push_back(std::move(citation));
    grounded.text += fmt::format("{}{} [{}]", grounded.text.empty() ? "" : " ", sentence.text, n);
  }
  return grounded;
}

bool is_abstention(std::string_view generated) {
  const std::string folded = fold(generated);
  constexpr size_t kMaxOffset = 80;  // a text that says so later has answered something first
  return folded.find("not in the sources") < kMaxOffset || folded.find("nao esta nas fontes") < kMaxOffset;
}

}  // namespace frugal
