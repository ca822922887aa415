// What to quote for a span of a passage: enough that a reader understands it, and nothing that only names an answer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rag/law/provision.h"
#include "rag/quote/passage_parts.h"

namespace frugal {

/// The ranges to quote for a span, in the order of the text, each at most max_bytes long and never cut inside a
/// character. `held`: the provisions that the text contains, as Chunk::references.
///
/// - In a law, the provision that holds the span, below the words that an inciso or an alínea stands under, and with
///   its parts if it ends with a colon.
/// - Elsewhere the sentence, or several if the span crosses their ends; an item of a list comes with the words that
///   introduce the list, and those with the items.
/// - For a question or a heading, the statement after it.
///
/// With `whole_list`, an item stands for the list that it belongs to, if the item is among those that fit.
///
/// Empty for a span of links, of a closing or of an amendment note that stands alone, and for a question without an
/// answer: such a span is no answer.
std::vector<TextRange> quote_span(const PassageParts& parts, std::span<const Provision> held, TextRange span,
                                  uint32_t max_bytes, bool whole_list = false);

}  // namespace frugal
