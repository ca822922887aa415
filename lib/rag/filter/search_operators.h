// The operators of a question: "exact phrase", -word, -"exact phrase".
#pragma once

#include <string>
#include <string_view>

#include "rag/filter/chunk_filter.h"

namespace frugal {

/// Adds the operators in `question` to `filter`, and returns what remains to search with: a phrase stays without its
/// quotes, an exclusion goes. A question without operators is returned as it is.
///
/// A phrase begins with a quote behind a space and ends with the next of its kind: "…", “…”, „…“, «…». An exclusion is
/// a '-' behind a space and directly before a letter or a phrase, unless its word ends with '-' too, as an aside does.
/// So hyphens in words, dashes, and the signs of numbers are none. Throws Error(bad_input) for more than
/// ChunkFilter::kMaxParts of either.
std::string take_operators(std::string_view question, ChunkFilter& filter);

}  // namespace frugal
