// Answers from what a reader found: the likeliest span of the chunks that it has read, and the sentences around it to
// quote.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "rag/answer/answer_extract.h"
#include "rag/answer/stage.h"
#include "rag/reply/reply.h"

namespace frugal {

/// The bytes [begin, end) of hits[hit].chunk.text.
struct AnswerSpan {
  Quote place;
  ConfidenceFeatures features;  // without coverage and language, which the reader does not know
};

/// The likeliest span of the hits that have a reading, by the share of its chunk among them and its own among all spans
/// of the chunk and none; nullopt if there is none, or only empty ones. An
/// answer has at most 30 tokens. O(tokens · 30).
std::optional<AnswerSpan> read_answer(std::span<const Hit> hits,
                                      const std::unordered_map<int64_t, ChunkReading>& readings);

/// What to quote for a span: the sentence that holds it, or several if it crosses their ends; before an item of a list
/// the words that introduce the list, and after such words the items that follow. A question or a heading is not
/// quoted, but the sentence after it. In the order of the text; each at most max_bytes long.
std::vector<Quote> quotes_around(std::span<const Hit> hits, const AnswerSpan& span, uint32_t max_bytes);

}  // namespace frugal
