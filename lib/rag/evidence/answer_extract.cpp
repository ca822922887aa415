// How a quote is chosen:
//
// 1. Candidates are the statements of the first hits (rag/quote/passage_parts.h): questions, headings, rows of tables,
//    links, closings and amendment notes name an answer or decorate it, but do not give it. If the question names an
//    article that the index holds, only the hits that hold most of it are read.
// 2. Each candidate gets a score by words: its coverage of the question (evidence.h), plus, with smaller weights, the
//    coverage of its surroundings and the score of its chunk. The surroundings are the title, the heading and the
//    sentence before, which has the noun that a pronoun stands for. The first statement behind a question is read
//    together with it: the words of a FAQ's question are those of its answer.
// 3. With an embedder, the best few candidates also get the cosine of their vector and the question's. Embedding takes
//    most of the time of an extracted answer, so the leader is embedded first, and of the others only those that can
//    still overtake it: a cosine is at most 1.
// 4. The candidate is quoted with the provision or the list that it belongs to (rag/quote/quote_span.h).
// 5. A question that names an article and asks for nothing else ("art. 5º CF") is answered by the start of the article;
//    one that names several, by the start of each; one that names an inciso, by the caput and the inciso.
//
// A quote is a range of bytes of one chunk, never ends inside a character, and is at most max_quote_bytes long. Among
// equal candidates the first sentence of the better hit wins, so a quote is the same on every run.
//
// All weights are set by hand; `rag-eval --answers` measures how often a quote contains the right answer. No sentence
// is understood: one that repeats the words of the question beats one that answers it in other words, unless the cosine
// tells them apart.
#include "rag/evidence/answer_extract.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "rag/law/provision_text.h"
#include "rag/quote/passage_parts.h"
#include "rag/quote/quote_span.h"
#include "rag/text/sentences.h"

namespace frugal {
namespace {

// The sentence's own coverage has weight 1.
constexpr float kContextWeight = 0.3f;
constexpr float kPriorWeight = 0.4f;
constexpr float kCosineWeight = 0.5f;
// If the best sentence of a named article covers less of the question than this, the question asks for the article
// itself.
constexpr float kMinSentenceCoverage = 0.5f;
// Up to this many articles are quoted at full length; of more, each gets its share, at least kMinArticleBytes.
constexpr uint32_t kWholeArticles = 4;
constexpr uint32_t kMinArticleBytes = 300;

struct ScoredSentence {
  Quote quote;
  float score = 0;
  uint32_t read_from = 0;  // where the question begins that it answers, or itself
};

std::string_view text_of(const Quote& quote, std::span<const Hit> hits) {
  return std::string_view(hits[quote.hit].chunk.text).substr(quote.begin, quote.end - quote.begin);
}

// With the question before it.
std::string_view read_text(const ScoredSentence& sentence, std::span<const Hit> hits) {
  return text_of({sentence.quote.hit, sentence.read_from, sentence.quote.end}, hits);
}

// The end of [begin, end) cut to max_bytes: at the last space, or else at the last whole character.
uint32_t bounded_end(std::string_view text, uint32_t begin, uint32_t end, uint32_t max_bytes) {
  if (end - begin <= max_bytes) return end;
  const size_t space = text.find_last_of(" \n\t", begin + max_bytes);
  if (space != std::string_view::npos && space > begin) return static_cast<uint32_t>(space);
  uint32_t cut = begin + max_bytes;
  while (cut > begin && is_continuation(text[cut])) --cut;
  return cut;
}

// The number of hits to read, from the first: those that hold most of the named article, or else the first few.
size_t readable_hits(std::span<const Hit> hits, const QuoteOptions& options) {
  const size_t limit = std::min(hits.size(), static_cast<size_t>(options.hits_read));
  if (hits.empty() || !hits.front().reference_score) return limit;
  size_t count = 1;
  while (count < limit && hits[count].reference_score == hits.front().reference_score) ++count;
  return count;
}

std::vector<ScoredSentence> score_by_words(const Evidence& evidence, std::span<const Hit> hits,
                                           const QuoteOptions& options) {
  std::vector<ScoredSentence> scored;
  const size_t readable = readable_hits(hits, options);
  const float best_score = std::max(hits.front().score, 1e-6f);
  for (size_t h = 0; h < readable; ++h) {
    const std::string_view text = hits[h].chunk.text;
    const std::string about = hits[h].chunk.title + "\n" + hits[h].chunk.heading + "\n";
    const float prior = std::clamp(hits[h].score / best_score, 0.0f, 1.0f);
    const PassageParts parts(text);
    uint32_t previous_begin = 0;
    for (size_t part = 0; part < parts.count(); ++part) {
      const uint32_t begin = parts.range(part).begin;
      const uint32_t end = bounded_end(text, begin, parts.range(part).end, options.max_quote_bytes);
      if (end == begin || parts.role(part) != PartRole::statement) continue;
      const std::optional<size_t> question = parts.question_of(part);
      const uint32_t read_from = question ? parts.range(*question).begin : begin;
      const float own = evidence.coverage(text.substr(read_from, end - read_from));
      const float around = evidence.coverage(about + std::string(text.substr(previous_begin, end - previous_begin)));
      scored.push_back({{h, begin, end}, own + kContextWeight * around + kPriorWeight * prior, read_from});
      previous_begin = begin;
    }
  }
  std::stable_sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  return scored;
}

void add_cosines(std::span<ScoredSentence> sentences, std::span<const Hit> hits, Embedder& embedder,
                 std::span<const float> query_vector) {
  std::vector<std::string_view> texts;
  for (const ScoredSentence& sentence : sentences) texts.push_back(read_text(sentence, hits));
  std::vector<float> vectors(texts.size() * query_vector.size());
  embedder.embed(texts, TextRole::passage, vectors);
  for (size_t i = 0; i < sentences.size(); ++i) {
    const auto row = vectors.begin() + static_cast<std::ptrdiff_t>(i * query_vector.size());
    sentences[i].score += kCosineWeight * std::inner_product(query_vector.begin(), query_vector.end(), row, 0.0f);
  }
}

// `sentences`: best by words first.
Quote best_by_meaning(std::vector<ScoredSentence> sentences, std::span<const Hit> hits, Embedder& embedder,
                      std::span<const float> query_vector, const QuoteOptions& options) {
  sentences.resize(std::min(sentences.size(), static_cast<size_t>(options.sentences_embedded)));
  const std::span<ScoredSentence> all(sentences);
  add_cosines(all.first(1), hits, embedder, query_vector);
  size_t rivals = 1;  // sentences that can still win, the leader included: a prefix, as they are sorted
  while (rivals < all.size() && all[rivals].score + kCosineWeight > all[0].score) ++rivals;
  if (rivals > 1) add_cosines(all.subspan(1, rivals - 1), hits, embedder, query_vector);
  return std::max_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rivals),
                          [](const auto& a, const auto& b) { return a.score < b.score; })
      ->quote;
}

// As many whole sentences from the start of the hit as fit.
Quote quote_from_start(std::span<const Hit> hits, size_t hit, const QuoteOptions& options) {
  const std::string_view text = hits[hit].chunk.text;
  const std::vector<Sentence> sentences = split_sentences(text);
  Quote quote{hit, sentences.front().begin, sentences.front().end};
  for (const Sentence& sentence : sentences)
    if (sentence.end - quote.begin <= options.max_quote_bytes) quote.end = sentence.end;
  quote.end = bounded_end(text, quote.begin, quote.end, options.max_quote_bytes);
  return quote;
}

// True if a sentence of the named articles covers enough of the question: then that sentence is the answer.
bool asks_for_more(const Evidence& evidence, std::span<const ScoredSentence> sentences, std::span<const Hit> hits) {
  return evidence.coverage(read_text(sentences.front(), hits)) >= kMinSentenceCoverage;
}

// The words that an inciso or alínea stands below, and itself; empty if the hits do not show where it begins.
std::vector<Quote> quote_part(std::span<const Hit> hits, const FoundArticle& article, const QuoteOptions& options) {
  std::vector<Quote> quotes;
  const auto append = [&](const Provision& provision, bool with_parts) {
    for (size_t h = 0; h < hits.size(); ++h) {
      const Chunk& chunk = hits[h].chunk;
      if (std::find(article.chunks.begin(), article.chunks.end(), chunk.id) == article.chunks.end()) continue;
      const ProvisionText text(chunk.text, chunk.references);
      const auto range = with_parts ? text.whole(provision) : text.head(provision);
      if (!range) continue;
      const bool follows =
          !quotes.empty() && quotes.back().hit == h && quotes.back().end <= range->begin &&
          trim(std::string_view(chunk.text).substr(quotes.back().end, range->begin - quotes.back().end)).empty();
      if (!follows) quotes.push_back({h, range->begin, range->begin});
      quotes.back().end = bounded_end(chunk.text, quotes.back().begin, range->end, options.max_quote_bytes);
      return true;
    }
    return false;
  };
  for (const Provision& above : provisions_above(article.asked)) append(above, false);
  return append(article.asked, true) ? quotes : std::vector<Quote>();
}

}  // namespace

std::vector<Quote> quote_articles(const Evidence& evidence, std::span<const Hit> hits,
                                  std::span<const FoundArticle> articles, const QuoteOptions& options) {
  if (articles.empty() || hits.empty()) return {};
  if (articles.size() == 1 && provisions_above(articles.front().asked).empty()) return {};
  const std::vector<ScoredSentence> sentences = score_by_words(evidence, hits, options);
  if (sentences.empty() || asks_for_more(evidence, sentences, hits)) return {};
  QuoteOptions each = options;  // many articles are quoted by their first sentences
  each.max_quote_bytes =
      std::max(kMinArticleBytes, options.max_quote_bytes * kWholeArticles / uint32_t(articles.size()));
  each.max_quote_bytes = std::min(each.max_quote_bytes, options.max_quote_bytes);
  std::vector<Quote> quotes;
  for (const FoundArticle& article : articles) {
    std::vector<Quote> part = quote_part(hits, article, each);
    const auto begins =
        std::find_if(hits.begin(), hits.end(), [&](const Hit& hit) { return hit.chunk.id == article.chunks.front(); });
    if (part.empty() && begins != hits.end())
      part.push_back(quote_from_start(hits, static_cast<size_t>(begins - hits.begin()), each));
    quotes.insert(quotes.end(), part.begin(), part.end());
  }
  return quotes;
}

std::vector<Quote> extract_quotes(const Evidence& evidence, std::span<const Hit> hits, Embedder* embedder,
                                  std::span<const float> query_vector, const QuoteOptions& options) {
  if (hits.empty()) return {};
  std::vector<ScoredSentence> sentences = score_by_words(evidence, hits, options);
  if (sentences.empty()) return {};
  if (hits.front().reference_score && !asks_for_more(evidence, sentences, hits))
    return {quote_from_start(hits, 0, options)};
  const bool by_meaning = embedder && !query_vector.empty() && sentences.size() > 1 && options.sentences_embedded > 1;
  const Quote best = by_meaning ? best_by_meaning(std::move(sentences), hits, *embedder, query_vector, options)
                                : sentences.front().quote;
  return quotes_around(hits, best, options.max_quote_bytes);
}

std::vector<Quote> quotes_around(std::span<const Hit> hits, const Quote& span, uint32_t max_bytes, bool whole_list) {
  const Chunk& chunk = hits[span.hit].chunk;
  std::vector<Quote> quotes;
  for (const TextRange& range :
       quote_span(PassageParts(chunk.text), chunk.references, {span.begin, span.end}, max_bytes, whole_list))
    quotes.push_back({span.hit, range.begin, range.end});
  return quotes;
}

}  // namespace frugal
