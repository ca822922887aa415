// Answers from what a reader found: the likeliest spans of the chunks that it has read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "rag/answer/stage.h"
#include "rag/evidence/answer_extract.h"
#include "rag/evidence/evidence.h"
#include "rag/reply/reply.h"

namespace frugal {

/// The bytes [begin, end) of hits[hit].chunk.text.
struct AnswerSpan {
  Quote place;
  ConfidenceFeatures features;  // without contrast and language, which come from the search
};

/// The likeliest span of the best sentence of the hits that have a reading; nullopt if there is none, or only empty
/// ones. For a sentence speak its chunk among those read, the spans that begin in it among all spans of the chunk and
/// none, and the words of the question that it holds, of which `evidence` knows the weights; null: words do not count.
/// An answer has at most 30 tokens, and what it takes to keep words and numbers whole (rag/quote/whole_span.h). Links,
/// closings and amendment notes hold no span, and one that begins in a question or a heading gives way to the likeliest
/// one of the text that answers it (rag/quote/passage_parts.h). O(tokens · 30).
std::optional<AnswerSpan> read_answer(std::span<const Hit> hits,
                                      const std::unordered_map<int64_t, ChunkReading>& readings,
                                      const Evidence* evidence);

/// As read_answer(), and behind it those of other sentences, at most three of a chunk, for which hardly less speaks,
/// and which say it in other words. At most `limit` in all, best first.
std::vector<AnswerSpan> read_answers(std::span<const Hit> hits,
                                     const std::unordered_map<int64_t, ChunkReading>& readings,
                                     const Evidence* evidence, size_t limit);

}  // namespace frugal
