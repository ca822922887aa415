#include "rag/answer/answer_read.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/ascii.h"
#include "base/utf8.h"
#include "rag/text/sentences.h"

namespace frugal {
namespace {

constexpr size_t kMaxAnswerTokens = 30;

struct TokenSpan {
  size_t first = 0, last = 0;
  float logit = 0;
};

// The span with the highest sum of logits. There is at least one token.
TokenSpan best_span(const Reading& reading) {
  TokenSpan best{0, 0, reading.begin[0] + reading.end[0]};
  for (size_t first = 0; first < reading.begin.size(); ++first) {
    const size_t behind = std::min(first + kMaxAnswerTokens, reading.end.size());
    for (size_t last = first; last < behind; ++last) {
      const float logit = reading.begin[first] + reading.end[last];
      if (logit > best.logit) best = {first, last, logit};
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

bool is_label(char c) {
  return ('0' <= c && c <= '9') || ('a' <= ascii_lower(c) && ascii_lower(c) <= 'z');
}

bool is_list_item(std::string_view sentence) {
  for (const std::string_view mark : {"- ", "* ", "+ ", "• ", "– ", "— "})
    if (sentence.starts_with(mark)) return true;
  // "1. ", "2) ", "a) ", "IV - ", "XII – "
  size_t label = 0;
  while (label < sentence.size() && label < 6 && is_label(sentence[label])) ++label;
  if (label == 0) return false;
  const std::string_view rest = sentence.substr(label), word = sentence.substr(0, label);
  if (rest.starts_with(") ")) return true;
  if (rest.starts_with(". ")) return is_digits(word);
  const bool is_roman = word.find_first_not_of("IVXLCDM") == word.npos;
  return is_roman && (rest.starts_with(" - ") || rest.starts_with(" – ") || rest.starts_with(" — "));
}

// Sentences of one text by their number.
class Sentences {
 public:
  explicit Sentences(std::string_view text) : text_(text), sentences_(split_sentences(text)) {}

  size_t count() const { return sentences_.size(); }
  const Sentence& operator[](size_t i) const { return sentences_[i]; }
  std::string_view words(size_t i) const {
    return trim(text_.substr(sentences_[i].begin, sentences_[i].end - sentences_[i].begin));
  }
  // The sentence that holds a byte, or the last one before it.
  size_t at(uint32_t byte) const {
    const auto after = std::upper_bound(sentences_.begin(), sentences_.end(), byte,
                                        [](uint32_t b, const Sentence& sentence) { return b < sentence.begin; });
    return after == sentences_.begin() ? 0 : static_cast<size_t>(after - sentences_.begin()) - 1;
  }
  bool introduces(size_t i) const { return words(i).ends_with(':'); }
  bool is_item(size_t i) const { return is_list_item(words(i)); }
  bool is_no_answer(size_t i) const { return words(i).ends_with('?') || words(i).starts_with('#'); }

 private:
  std::string_view text_;
  std::vector<Sentence> sentences_;
};

// [begin, end) of `text`, cut to `max_bytes` that contain the span's first bytes.
Quote bounded(size_t hit, std::string_view text, uint32_t begin, uint32_t end, const Quote& span, uint32_t max_bytes) {
  if (end - begin <= max_bytes) return {hit, begin, end};
  if (span.end > begin + max_bytes) {
    begin = std::max(begin, span.begin);
    end = std::min(end, begin + max_bytes);
  } else {
    end = begin + max_bytes;
  }
  while (end > begin && end < text.size() && is_continuation(text[end])) --end;
  return {hit, begin, end};
}

}  // namespace

std::optional<AnswerSpan> read_answer(std::span<const Hit> hits,
                                      const std::unordered_map<int64_t, ChunkReading>& readings) {
  std::optional<AnswerSpan> best;
  double best_logit = 0, mass = 0;
  float best_answerable = -std::numeric_limits<float>::infinity();
  for (size_t h = 0; h < hits.size(); ++h) {
    const auto found = readings.find(hits[h].chunk.id);
    if (found == readings.end() || found->second.pieces.empty()) continue;
    const ChunkReading& read = found->second;
    const TokenSpan span = best_span(read.reading);
    const double share = double(span.logit) - log_sum(read.reading, span.logit), logit = read.score + share;
    mass += std::exp(double(read.score));
    best_answerable = std::max(best_answerable, read.reading.answerable);
    if (best && logit <= best_logit) continue;
    best_logit = logit;
    best = {{h, read.pieces[span.first].begin, read.pieces[span.last].end}, {}};
    best->features.answerable = read.reading.answerable;
    best->features.margin = span.logit - read.reading.none;
    best->features.certainty = static_cast<float>(share);
    best->features.share = read.score;
  }
  if (!best) return best;
  best->features.best_answerable = best_answerable;
  best->features.share -= static_cast<float>(std::log(mass));
  return best;
}

std::vector<Quote> quotes_around(std::span<const Hit> hits, const AnswerSpan& span, uint32_t max_bytes) {
  const Quote& place = span.place;
  const std::string_view text = hits[place.hit].chunk.text;
  const Sentences sentences(text);
  if (sentences.count() == 0) return {bounded(place.hit, text, place.begin, place.end, place, max_bytes)};
  size_t first = sentences.at(place.begin), last = std::max(first, sentences.at(place.end - 1));
  while (sentences.is_no_answer(last) && last + 1 < sentences.count()) first = ++last;
  // An item needs the words that introduce its list, even if others stand between.
  size_t lead = first;
  while (lead > 0 && sentences.is_item(lead) && !sentences.introduces(lead)) --lead;
  const bool has_lead = lead < first && sentences.introduces(lead);
  const auto quote = [&](size_t from, size_t to) {
    return bounded(place.hit, text, sentences[from].begin, sentences[to].end, place, max_bytes);
  };
  while (sentences.introduces(last) && last + 1 < sentences.count()) {
    const size_t introduced = last;
    while (last + 1 < sentences.count() && sentences.is_item(last + 1) &&
           sentences[last + 1].end - sentences[first].begin <= max_bytes)
      ++last;
    if (last == introduced) break;
  }
  if (!has_lead) return {quote(first, last)};
  if (lead + 1 == first) return {quote(lead, last)};
  return {quote(lead, lead), quote(first, last)};
}

}  // namespace frugal
