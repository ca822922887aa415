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
// Of a further answer, below the best one: a fifth of its probability (docs/design/0035).
constexpr double kCloseLogit = -1.6;
// Of one chunk: another sentence may answer as well as the best, a third one hardly ever does.
constexpr size_t kSpansOfChunk = 2;

struct TokenSpan {
  size_t first = 0, last = 0;
  float logit = 0;
};

// The span with the highest sum of logits among those whose tokens are all allowed; nullopt: no token is.
std::optional<TokenSpan> best_span(const Reading& reading, const std::vector<bool>& allowed) {
  std::optional<TokenSpan> best;
  for (size_t first = 0; first < reading.begin.size(); ++first) {
    const size_t behind = std::min(first + kMaxAnswerTokens, reading.end.size());
    for (size_t last = first; last < behind && allowed[last]; ++last) {
      const float logit = reading.begin[first] + reading.end[last];
      if (!best || logit > best->logit) best = {first, last, logit};
    }
  }
  return best;
}

// log(Σ exp(logit)) over all spans and none.
double log_sum(const Reading& reading, float largest) {
  const double most = std::max(largest, reading.none);
  double sum = std::exp(double(reading.none) - most);
  for (size_t first = 0; first < reading.begin.size(); ++first) {
    const size_t behind = std::min(first + kMaxAnswerTokens, reading.end.size());
    for (size_t last = first; last < behind; ++last)
      sum += std::exp(double(reading.begin[first]) + double(reading.end[last]) - most);
  }
  return most + std::log(sum);
}

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
  /// The tokens of `allowed` that stand in other sentences than those of a span.
  std::vector<bool> outside(std::vector<bool> allowed, const TokenSpan& span) const {
    for (size_t token = 0; parts_.count() > 0 && token < allowed.size(); ++token)
      if (part_of(token) >= part_of(span.first) && part_of(token) <= part_of(span.last)) allowed[token] = false;
    return allowed;
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

// The best span of a chunk, with the logit of the span that the reader prefers, and behind it the best one of another
// sentence.
std::vector<TokenSpan> best_answers(std::string_view text, const ChunkReading& read) {
  const AnswerMask mask(text, read.pieces);
  const std::vector<bool> allowed = mask.answerable();
  std::optional<TokenSpan> span = best_span(read.reading, allowed);
  std::vector<TokenSpan> spans;
  for (size_t rank = 0; span && rank < kSpansOfChunk; ++rank) {
    TokenSpan answer = *span;
    if (const auto block = mask.block_behind(span->first))
      if (const std::optional<TokenSpan> behind = best_span(read.reading, *block))
        answer = {behind->first, behind->last, span->logit};
    spans.push_back(answer);
    span = best_span(read.reading, mask.outside(mask.outside(allowed, *span), answer));
  }
  return spans;
}

struct ReadSpan {
  AnswerSpan answer;
  double logit = 0;
  bool beats_none = false;
};

// The best spans of each hit that was read, likeliest first, and among equals in the order of the hits.
std::vector<ReadSpan> spans_of(std::span<const Hit> hits, const std::unordered_map<int64_t, ChunkReading>& readings) {
  std::vector<ReadSpan> spans;
  double mass = 0;
  float best_answerable = -std::numeric_limits<float>::infinity();
  for (size_t h = 0; h < hits.size(); ++h) {
    const auto found = readings.find(hits[h].chunk.id);
    if (found == readings.end() || found->second.pieces.empty()) continue;
    const ChunkReading& read = found->second;
    mass += std::exp(double(read.score));
    best_answerable = std::max(best_answerable, read.reading.answerable);
    for (const TokenSpan& span : best_answers(hits[h].chunk.text, read)) {
      const double share = double(span.logit) - log_sum(read.reading, span.logit);
      const TextRange bytes =
          whole_span(hits[h].chunk.text, {read.pieces[span.first].begin, read.pieces[span.last].end});
      const Quote place{h, bytes.begin, bytes.end};
      ConfidenceFeatures features;
      features.answerable = read.reading.answerable;
      features.margin = span.logit - read.reading.none;
      features.certainty = static_cast<float>(share);
      features.share = read.score;
      spans.push_back({{place, features}, read.score + share, span.logit > read.reading.none});
    }
  }
  for (ReadSpan& span : spans) {
    span.answer.features.best_answerable = best_answerable;
    span.answer.features.share -= static_cast<float>(std::log(mass));
  }
  std::stable_sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
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
                                      const std::unordered_map<int64_t, ChunkReading>& readings) {
  const std::vector<ReadSpan> spans = spans_of(hits, readings);
  return spans.empty() ? std::nullopt : std::optional(spans.front().answer);
}

std::vector<AnswerSpan> read_answers(std::span<const Hit> hits,
                                     const std::unordered_map<int64_t, ChunkReading>& readings, size_t limit) {
  std::vector<AnswerSpan> answers;
  std::vector<std::string> said;
  const std::vector<ReadSpan> spans = spans_of(hits, readings);
  for (const ReadSpan& span : spans) {
    const bool is_close = span.beats_none && span.logit >= spans.front().logit + kCloseLogit;
    std::string words = folded_words(hits, span.answer.place);
    if (answers.size() >= limit) break;
    if (!answers.empty() && (!is_close || std::find(said.begin(), said.end(), words) != said.end())) continue;
    answers.push_back(span.answer);
    said.push_back(std::move(words));
  }
  return answers;
}

}  // namespace frugal
