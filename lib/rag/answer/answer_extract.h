// The extractive answer: the sentence of the best sources that says most of what the question asks, quoted byte for
// byte. Not a reader model (that comes later): it picks sentences, it does not understand them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/setting.h"
#include "model/nn/embedder.h"
#include "rag/answer/evidence.h"
#include "rag/answer/query.h"

namespace frugal {

struct QuoteOptions {
  int64_t hits_read = 5;           // sources whose sentences compete
  int64_t sentences_embedded = 6;  // best by words that are compared by meaning; 0: words only
  uint32_t max_quote_bytes = 1200;

  template <typename F>
  void visit(F&& f) {
    f("extract.hits_read", hits_read, kInternal);
    f("extract.sentences_embedded", sentences_embedded, kInternal);
    f("extract.max_quote_bytes", max_quote_bytes, kInternal);
  }
};

/// Bytes [begin, end) of the text of hits[hit].
struct Quote {
  size_t hit = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// nullopt if no hit holds a sentence. Where the best hits bear a reference that the question names, only these are
/// read, and one that says nothing more of the question than its reference is quoted from its start. `embedder` may be
/// null; query_vector: [dimension], used with it.
std::optional<Quote> extract_quote(const Evidence& evidence, std::span<const Hit> hits, Embedder* embedder,
                                   std::span<const float> query_vector, const QuoteOptions& options = {});

}  // namespace frugal
