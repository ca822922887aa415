// Summarises by quoting: the sentences that say most of what the text as a whole speaks of, and do not repeat one
// another. No model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rag/quote/passage_parts.h"
#include "rag/reply/reply.h"
#include "rag/text/language.h"

namespace frugal {

/// A sentence of a chunk: bytes of its text.
struct CentralSentence {
  size_t chunk = 0;
  TextRange range;
};

/// The central sentences in the order of the text, of at most `max_words` words together, but at least one if the text
/// has a statement. Sentences are compared by their stems with tf-idf weights (chunks are the documents): centrality is
/// the cosine with the centroid of all (Radev et al. 2004), and each next one is chosen by maximal marginal relevance
/// (Carbonell & Goldstein 1998). The first sentences count more, those that lean on
/// their neighbours less. Only statements count (rag/quote/passage_parts.h), no questions, headings or notes.
std::vector<CentralSentence> central_sentences(std::span<const Hit* const> chunks, Language language,
                                               int64_t max_words);

}  // namespace frugal
