// Extractive answers: picks the sentence of the best hits that covers most of the question, and quotes it byte for
// byte, with the provision or the list around it. Sentences are compared by words and vectors. This is not a reader
// model, which would find the answer in a sentence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/setting.h"
#include "model/nn/embedder.h"
#include "rag/evidence/evidence.h"
#include "rag/reply/reply.h"

namespace frugal {

struct QuoteOptions {
  int64_t hits_read = 5;           // the first hits, whose sentences are the candidates
  int64_t sentences_embedded = 6;  // candidates, best by words, that are also compared by vector; below 2: none
  uint32_t max_quote_bytes = 1200;

  template <typename F>
  void visit(F&& f) {
    f("extract.hits_read", hits_read, kInternal);
    f("extract.sentences_embedded", sentences_embedded, kInternal);
    f("extract.max_quote_bytes", max_quote_bytes, kInternal);
  }
};

/// The bytes [begin, end) of hits[hit].chunk.text.
struct Quote {
  size_t hit = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// Quotes the best sentence, by quotes_around(); empty if no hit has one. If the question names a provision that the
/// first hits hold, only these hits are read; if it asks for nothing else, the first of them is quoted from its start.
/// `embedder` may be null: then only words count. query_vector: [dimension], or empty for the same effect.
std::vector<Quote> extract_quotes(const Evidence& evidence, std::span<const Hit> hits, Embedder* embedder,
                                  std::span<const float> query_vector, const QuoteOptions& options = {});

/// What to quote for a span of a hit, so that it can be understood: quote_span() (rag/quote).
std::vector<Quote> quotes_around(std::span<const Hit> hits, const Quote& span, uint32_t max_bytes,
                                 bool whole_list = false);

/// The beginnings of the articles that the question names, one quote or more for each, if it asks for nothing else. Of
/// an inciso or alínea, the words that it stands below and then itself, from its label on. Empty if the question asks
/// for more, or names a single article whole: extract_quotes() answers those.
std::vector<Quote> quote_articles(const Evidence& evidence, std::span<const Hit> hits,
                                  std::span<const FoundArticle> articles, const QuoteOptions& options = {});

}  // namespace frugal
