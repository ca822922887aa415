#include "rag/answer/answer_read.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "rag/quote/passage_parts.h"
#include "rag/quote/whole_span.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr size_t kMaxAnswerTokens = 30;
// What speaks for a sentence: half of the reader's log-probability, which is too sure of itself, and the share of the
// question's words that it holds. A further answer is that close to the best one (docs/design/0035).
constexpr double kReaderWeight = 0.5, kWordsWeight = 3, kCloseSupport = -2.3;
constexpr size_t kSentencesOfChunk = 3;

struct TokenSpan {
  size_t first = 0, last = 0;
  float logit = -std::numeric_limits<float>::infinity();
};

// Calls visit(span) for each span whose tokens are all allowed.
template <typename Visit>
void for_each_span(const Reading& reading, const std::vector<bool>& allowed, Visit&& visit) {
  for (size_t first = 0; first < reading.begin.size(); ++first) {
    const size_t behind = std::min(first + kMaxAnswerTokens, reading.end.size());
    for (size_t last = first; last < behind && allowed[last]; ++last)
      visit(TokenSpan{first, last, reading.begin[first] + reading.end[last]});
  }
}

// The span with the highest sum of logits among those whose tokens are all allowed; nullopt: no token is.
std::optional<TokenSpan> best_span(const Reading& reading, const std::vector<bool>& allowed) {
  std::optional<TokenSpan> best;
  for_each_span(reading, allowed, [&](const TokenSpan& span) {
    if (!best || span.logit > best->logit) best = span;
  });
  return best;
}

// log(Σ exp(logit)) over all spans and none.
double log_sum(const Reading& reading) {
  const std::vector<bool> all(reading.end.size(), true);
  const std::optional<TokenSpan> best = best_span(reading, all);
  const double most = std::max(best ? best->logit : reading.none, reading.none);
  double sum = std::exp(double(reading.none) - most);
  for_each_span(reading, all, [&](const TokenSpan& span) { sum += std::exp(double(span.logit) - most); });
  return most + std::log(sum);
}

// A sentence that may answer.
struct SentenceSpan {
  size_t part = 0;
  TokenSpan span;       // the best of those that begin in it
  double mass = 0;      // log(Σ exp(logit)) over these
  double coverage = 0;  // share of the question's words that it holds
  double support = 0;   // what speaks for it in its chunk
};

// Where a chunk may hold an answer, by the roles of its sentences.
class AnswerMask {
 public:
  AnswerMask(std::string_view text, std::span<const Tokenizer::Piece> pieces) : parts_(text), pieces_(pieces) {}

  /// A token is allowed if its sentence is a statement, or a question or a heading that one answers.
  std::vector<bool> answerable() const {
    return tokens([&](size_t part) {
      return parts_.role(part) == PartRole::statement || parts_.role(part) == PartRole::layout || is_answered(part);
    });
  }
  /// The sentences in which spans of allowed tokens begin. Several wordings of an answer speak for theirs together.
  std::vector<SentenceSpan> sentences(const Reading& reading) const {
    const std::vector<bool> allowed = answerable();
    std::vector<SentenceSpan> all(std::max<size_t>(parts_.count(), 1));
    for_each_span(reading, allowed, [&](const TokenSpan& span) {
      SentenceSpan& sentence = all[part_of(span.first)];
      if (span.logit > sentence.span.logit) sentence.span = span;
    });
    for_each_span(reading, allowed, [&](const TokenSpan& span) {
      SentenceSpan& sentence = all[part_of(span.first)];
      sentence.mass += std::exp(double(span.logit) - sentence.span.logit);
    });
    std::vector<SentenceSpan> found;
    for (size_t part = 0; part < all.size(); ++part)
      if (all[part].mass > 0)
        found.push_back({part, all[part].span, all[part].span.logit + std::log(all[part].mass), 0, 0});
    return found;
  }
  std::string_view text_of(size_t part) const { return parts_.count() == 0 ? parts_.text() : parts_.words(part); }
  bool holds(const TokenSpan& span, size_t part) const {
    return part_of(span.first) <= part && part <= part_of(span.last);
  }
  /// The tokens of the block that answers the question or follows the heading in which a token stands; nullopt: it
  /// stands in neither.
  std::optional<std::vector<bool>> block_behind(size_t token) const {
    const size_t asking = part_of(token);
    if (!is_answered(asking)) return std::nullopt;
    const size_t first = *parts_.answer_to(asking), end = parts_.block_end(first);
    return tokens([&](size_t part) {
      return first <= part && part < end &&
             (parts_.role(part) == PartRole::statement || parts_.role(part) == PartRole::layout);
    });
  }

 private:
  size_t part_of(size_t token) const { return parts_.at(pieces_[token].begin); }
  bool is_answered(size_t part) const {
    const bool asks = parts_.role(part) == PartRole::question || parts_.role(part) == PartRole::heading;
    return asks && parts_.answer_to(part);
  }
  template <typename Allows>
  std::vector<bool> tokens(Allows&& allows) const {
    std::vector<bool> allowed;
    for (size_t i = 0; i < pieces_.size(); ++i) allowed.push_back(parts_.count() == 0 || allows(part_of(i)));
    return allowed;
  }

  PassageParts parts_;
  std::span<const Tokenizer::Piece> pieces_;
};

// The best sentences of a chunk, with the logits of the spans that the reader prefers. log_total: log_sum().
std::vector<SentenceSpan> best_answers(std::string_view text, const ChunkReading& read, double log_total,
                                       const Evidence* evidence) {
  const AnswerMask mask(text, read.pieces);
  std::vector<SentenceSpan> sentences = mask.sentences(read.reading);
  for (SentenceSpan& each : sentences) {
    if (evidence) each.coverage = evidence->coverage(mask.text_of(each.part));
    each.support = kReaderWeight * (each.mass - log_total) + kWordsWeight * each.coverage;
  }
  std::stable_sort(sentences.begin(), sentences.end(),
                   [](const auto& a, const auto& b) { return a.support > b.support; });
  std::vector<SentenceSpan> answers;
  for (SentenceSpan& each : sentences) {
    if (answers.size() == kSentencesOfChunk) break;
    if (std::any_of(answers.begin(), answers.end(), [&](const auto& a) { return mask.holds(a.span, each.part); }))
      continue;
    if (const auto block = mask.block_behind(each.span.first))
      if (const std::optional<TokenSpan> behind = best_span(read.reading, *block))
        each.span = {behind->first, behind->last, each.span.logit};
    answers.push_back(each);
  }
  return answers;
}

struct ReadSpan {
  AnswerSpan answer;
  double support = 0;
};

// The best spans of each hit that was read, that of the best sentence first, and among equals in the order of the hits.
std::vector<ReadSpan> spans_of(std::span<const Hit> hits, const std::unordered_map<int64_t, ChunkReading>& readings,
                               const Evidence* evidence) {
  std::vector<ReadSpan> spans;
  double mass = 0;
  float best_answerable = -std::numeric_limits<float>::infinity();
  for (size_t h = 0; h < hits.size(); ++h) {
    const auto found = readings.find(hits[h].chunk.id);
    if (found == readings.end() || found->second.pieces.empty()) continue;
    const ChunkReading& read = found->second;
    mass += std::exp(double(read.score));
    best_answerable = std::max(best_answerable, read.reading.answerable);
    const double log_total = log_sum(read.reading);
    for (const SentenceSpan& sentence : best_answers(hits[h].chunk.text, read, log_total, evidence)) {
      const TokenSpan& span = sentence.span;
      const TextRange bytes =
          whole_span(hits[h].chunk.text, {read.pieces[span.first].begin, read.pieces[span.last].end});
      const Quote place{h, bytes.begin, bytes.end};
      ConfidenceFeatures features;
      features.answerable = read.reading.answerable;
      features.margin = span.logit - read.reading.none;
      features.certainty = static_cast<float>(span.logit - log_total);
      features.share = read.score;
      features.coverage = static_cast<float>(sentence.coverage);
      spans.push_back({{place, features}, read.score + sentence.support});
    }
  }
  for (ReadSpan& span : spans) {
    span.answer.features.best_answerable = best_answerable;
    span.answer.features.share -= static_cast<float>(std::log(mass));
  }
  std::stable_sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.support > b.support; });
  return spans;
}

std::string folded_words(std::span<const Hit> hits, const Quote& place) {
  std::string folded;
  for (const Word& word :
       split_words(std::string_view(hits[place.hit].chunk.text).substr(place.begin, place.end - place.begin)))
    folded += word.folded + " ";
  return folded;
}

}  // namespace

std::optional<AnswerSpan> read_answer(std::span<const Hit> hits,
                                      const std::unordered_map<int64_t, ChunkReading>& readings,
                                      const Evidence* evidence) {
  const std::vector<ReadSpan> spans = spans_of(hits, readings, evidence);
  return spans.empty() ? std::nullopt : std::optional(spans.front().answer);
}

std::vector<AnswerSpan> read_answers(std::span<const Hit> hits,
                                     const std::unordered_map<int64_t, ChunkReading>& readings,
                                     const Evidence* evidence, size_t limit) {
  std::vector<AnswerSpan> answers;
  std::vector<std::string> said;
  const std::vector<ReadSpan> spans = spans_of(hits, readings, evidence);
  for (const ReadSpan& span : spans) {
    if (answers.size() >= limit || span.support < spans.front().support + kCloseSupport) break;
    std::string words = folded_words(hits, span.answer.place);
    if (std::find(said.begin(), said.end(), words) != said.end()) continue;
    answers.push_back(span.answer);
    said.push_back(std::move(words));
  }
  return answers;
}

}  // namespace frugal
