// How generated text is checked. The prompt asks for the number of a source, like "[1]", after every statement. Small
// generators forget marks, cite sources that do not exist, invent facts, and repeat themselves without end. So a
// statement counts only if the words of a source support it, and a mark is no more than a hint which source that is:
//
// 1. Marks are removed, and the byte where each stood is remembered: a mark before or after a full stop would otherwise
//    disturb the split into sentences.
// 2. The text is split into sentences. A sentence gets the marks within it and those between it and the next sentence,
//    so it is complete when the next one has begun.
// 3. A sentence is refused if it is a question or only announces something ("The reasons are:"), if it has no content
//    words besides those that speak of the answer, if it was said before, or if words in it come three times in a row.
// 4. Each other sentence is compared with the sources. Its support by a source is the share of its distinct stems that
//    the title and text of the source contain, or 0 if a number is missing there: a wrong year or amount is the worst
//    invention, and the easiest to find. Nor may it name a law that the source does not, or negate the sentence of the
//    source that shares most stems with it. With a reader, the source must answer the question, too: small generators
//    tell what is true and beside the point. The best of the cited sources is taken; if none reaches min_support, the
//    best of all, so that a wrong mark does not cost a right statement. Without support the sentence is refused; if it
//    cites a source that the reader finds to answer the question, the quote that does stands in its place.
// 5. A sentence that is not refused gets a new mark for a citation, which quotes the sentence of its source that shares
//    most stems with it.
//
// The text ends where it loops: at words that come three times in a row, at a sentence that was said twice before, and
// after 256 bytes without a word. A generator that has begun to repeat itself does not stop: with greedy sampling the
// same context gives the same words.
//
// The sentences are split again with every piece, from the first. A split depends on what follows only within the last
// sentence, which is not judged yet, so what was judged stays as it was.
//
// Only words are compared: a sentence that exchanges subject and object passes.
#include "rag/answer/answer_generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/ascii.h"
#include "rag/evidence/evidence.h"
#include "rag/guard/negation.h"
#include "rag/reply/cite.h"
#include "rag/text/language.h"
#include "rag/text/plain_text.h"
#include "rag/text/sentences.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

using MarkedSentence = GroundedText::MarkedSentence;

constexpr size_t kMaxMarkBytes = 64;

// A mark such as "[3]" or "[1, 2]".
struct Mark {
  std::vector<int64_t> numbers;
  size_t bytes = 0;
};
// Parses a mark at the start of `text`; nullopt for any other bracket.
std::optional<Mark> parse_mark(std::string_view text) {
  if (text.empty() || text[0] != '[') return std::nullopt;
  const size_t close = text.substr(0, kMaxMarkBytes).find(']');
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

using StemSet = std::unordered_set<std::string>;

StemSet stem_set(std::string_view text, Language language, const Stemmer& stemmer) {
  const std::vector<std::string> stems = content_stems(text, language, stemmer);
  return {stems.begin(), stems.end()};
}

// The share of `stems` that `source` contains; 0 if a stem with a digit is missing.
float support_of(const StemSet& stems, const StemSet& source) {
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

// Folded words that speak of the answer and not of its subject.
constexpr std::array kAboutTheAnswer =
    std::to_array<std::string_view>({"answer", "answers", "question", "questions", "source", "sources", "resposta",
                                     "respostas", "pergunta", "perguntas", "fonte", "fontes"});

bool says_something(std::span<const Word> words, Language language) {
  return std::any_of(words.begin(), words.end(), [&](const Word& word) {
    return !is_stop_word(word.folded, language) &&
           std::find(kAboutTheAnswer.begin(), kAboutTheAnswer.end(), word.folded) == kAboutTheAnswer.end();
  });
}

// True if up to 64 words come three times in a row ("o que o que o que"); a single word must come six times.
bool repeats_words(std::span<const Word> words) {
  constexpr size_t kMaxPeriod = 64, kTimes = 3, kMinWords = 6;
  for (size_t period = 1; period <= kMaxPeriod && kTimes * period <= words.size(); ++period) {
    const size_t needed = std::max((kTimes - 1) * period, kMinWords - period);
    size_t same = 0;  // words in a row that equal the one a period before
    for (size_t i = period; i < words.size() && same < needed; ++i)
      same = words[i].folded == words[i - period].folded ? same + 1 : 0;
    if (same >= needed) return true;
  }
  return false;
}

// The sentence of a text that shares most stems with a statement, or the whole text if none shares any.
Sentence nearest_sentence(std::string_view text, const StemSet& wanted, Language language, const Stemmer& stemmer) {
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
  return best;
}

// The text without a bracket at its end that may yet become a mark.
std::string_view without_open_mark(std::string_view text) {
  const size_t bracket = text.rfind('[');
  if (bracket == std::string_view::npos || text.size() - bracket >= kMaxMarkBytes) return text;
  return text.find(']', bracket) == std::string_view::npos ? text.substr(0, bracket) : text;
}

// An abstention begins within this many bytes of the folded text; one that says so later has answered something first.
constexpr size_t kMaxAbstentionOffset = 80;
constexpr std::string_view kAbstentions[] = {"not in the sources", "nao esta nas fontes", "nao consta das fontes"};

// False as long as more text may make an abstention of it.
bool is_decided(std::string_view generated) {
  constexpr size_t kLongestAbstention = 22, kReadBytes = 512;
  return fold(first_bytes(generated, kReadBytes)).size() >= kMaxAbstentionOffset + kLongestAbstention;
}

}  // namespace

GroundedText::GroundedText(std::span<const Hit> sources, Language language, float min_support,
                           const GroundingChecks& checks)
    : sources_(sources), language_(language), min_support_(min_support), checks_(checks), stemmer_(language) {
  for (const Hit& hit : sources) held_.push_back(stem_set(hit.chunk.title + "\n" + hit.chunk.text, language, stemmer_));
}

std::string GroundedText::add(std::string_view generated) {
  written_ += generated;
  if (ended_ || !is_decided(written_)) return {};
  if (is_abstention(written_)) {
    ended_ = true;
    return {};
  }
  return judge_written(false);
}

std::string GroundedText::finish() {
  if (loops_ || is_abstention(written_)) return {};
  return judge_written(true);
}

bool GroundedText::abstains() const {
  return is_abstention(written_);
}

std::string GroundedText::judge_written(bool is_whole) {
  const size_t before = text_.size();
  const std::string plain = plain_text(is_whole ? written_ : without_open_mark(written_));
  const std::vector<MarkedSentence> sentences = split_marked_sentences(plain, sources_.size());
  const size_t complete = is_whole || sentences.empty() ? sentences.size() : sentences.size() - 1;
  for (; judged_ < complete && !loops_; ++judged_) judge(sentences[judged_]);
  if (!is_whole && !loops_) watch_for_end(complete < sentences.size() ? sentences.back().text : "");
  ended_ = ended_ || loops_;
  return text_.substr(before);
}

void GroundedText::judge(const MarkedSentence& sentence) {
  const std::vector<Word> words = split_words(sentence.text);
  std::string said;
  for (const Word& word : words) said += word.folded + " ";
  const int times = ++said_[said];
  loops_ = repeats_words(words) || (times >= 3 && !words.empty());
  const bool is_statement =
      !sentence.text.ends_with('?') && !sentence.text.ends_with(':') && says_something(words, language_);
  if (loops_ || times > 1 || !is_statement) {
    ++dropped_;
    return;
  }
  const StemSet stems = stem_set(sentence.text, language_, stemmer_);
  const int64_t source = supporting_source(sentence, stems);
  if (source == 0) {
    ++dropped_;
    return stand_in(sentence);
  }
  const auto place = static_cast<size_t>(source - 1);
  const Sentence quote = nearest_sentence(sources_[place].chunk.text, stems, language_, stemmer_);
  keep({sentence.text, place, quote.begin, quote.end});
}

// The answer that the reader finds in a cited source, unless it is quoted already.
void GroundedText::stand_in(const MarkedSentence& sentence) {
  for (const int64_t source : sentence.cited) {
    const auto place = static_cast<size_t>(source - 1);
    const Hit& hit = sources_[place];
    const std::optional<Quote> quote = checks_.reader ? checks_.reader->quote(hit) : std::nullopt;
    if (!quote) continue;
    const bool is_new = std::none_of(statements_.begin(), statements_.end(), [&](const Statement& earlier) {
      return earlier.source == place && earlier.quote_begin == quote->begin;
    });
    const std::string_view bytes = std::string_view(hit.chunk.text).substr(quote->begin, quote->end - quote->begin);
    if (is_new) return keep({plain_text(text_of_quote(bytes)), place, quote->begin, quote->end});
  }
}

// `open`: the last sentence, which is not complete yet.
void GroundedText::watch_for_end(std::string_view open) {
  constexpr size_t kMaxWordlessBytes = 256;
  const std::vector<Word> words = split_words(open);
  if (judged_ != watched_sentence_ || words.size() != watched_words_) {
    watched_sentence_ = judged_;
    watched_words_ = words.size();
    last_word_byte_ = written_.size();
  }
  loops_ = repeats_words(words);
  dropped_ += loops_;
  ended_ = written_.size() - last_word_byte_ > kMaxWordlessBytes;
}

// The number of the source; 0: none supports it.
int64_t GroundedText::supporting_source(const MarkedSentence& sentence, const StemSet& stems) const {
  int64_t best = 0;
  float best_support = 0;
  const auto consider = [&](int64_t source) {
    const float support = support_of(stems, held_[static_cast<size_t>(source - 1)]);
    if (support < min_support_ || support <= best_support || !supports(source, sentence, stems)) return;
    best = source;
    best_support = support;
  };
  for (const int64_t source : sentence.cited) consider(source);
  if (best > 0) return best;
  for (int64_t source = 1; source <= static_cast<int64_t>(sources_.size()); ++source) consider(source);
  return best;
}

// Whether nothing but the share of words speaks against a source.
bool GroundedText::supports(int64_t source, const MarkedSentence& sentence, const StemSet& stems) const {
  const Hit& hit = sources_[static_cast<size_t>(source - 1)];
  const std::string_view text = hit.chunk.text;
  const Sentence nearest = nearest_sentence(text, stems, language_, stemmer_);
  if (negates(sentence.text, text.substr(nearest.begin, nearest.end - nearest.begin), text, language_)) return false;
  return !names_other_laws(sentence.text, hit) && (!checks_.reader || checks_.reader->answers(hit));
}

bool GroundedText::names_other_laws(std::string_view statement, const Hit& source) const {
  if (!checks_.laws) return false;
  const auto named = find_provisions(statement, *checks_.laws);
  if (named.empty()) return false;
  const auto there = find_provisions(source.chunk.title + "\n" + source.chunk.text, *checks_.laws);
  return std::any_of(named.begin(), named.end(), [&](const FoundProvision& found) {
    const std::string& law = found.reference.law;
    const auto has_law = [&](const Provision& provision) { return provision.law == law; };
    return !law.empty() && std::none_of(source.chunk.references.begin(), source.chunk.references.end(), has_law) &&
           std::none_of(there.begin(), there.end(),
                        [&](const FoundProvision& each) { return has_law(each.reference); });
  });
}

void GroundedText::keep(Statement statement) {
  Citation citation = cite(sources_[statement.source], statement.quote_begin, statement.quote_end,
                           static_cast<int64_t>(citations_.size()) + 1);
  const auto same = std::find_if(citations_.begin(), citations_.end(), [&](const Citation& earlier) {
    return earlier.id == citation.id && earlier.start_byte == citation.start_byte &&
           earlier.end_byte == citation.end_byte;
  });
  const int64_t n = same != citations_.end() ? same->n : citation.n;
  if (same == citations_.end()) citations_.push_back(std::move(citation));
  text_ += fmt::format("{}{} [{}]", text_.empty() ? "" : " ", statement.text, n);
  statements_.push_back(std::move(statement));
}

bool is_abstention(std::string_view generated) {
  const std::string folded = fold(generated);
  return std::any_of(std::begin(kAbstentions), std::end(kAbstentions),
                     [&](std::string_view abstention) { return folded.find(abstention) < kMaxAbstentionOffset; });
}

}  // namespace frugal
