// Citations: quoted bytes of a document. cite_check.h compares them with its file later.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "rag/reply/reply.h"

namespace frugal {

/// Makes citation number `n` of the bytes [begin, end) of a hit's text.
Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n);

/// The words of a quote, with white space of every kind made single and without byte-order marks.
std::string text_of_quote(std::string_view quote);

/// The text of an extracted answer: the words of its quotes, a line each.
std::string text_of_quotes(std::span<const Citation> citations);

/// Compares size and time of each cited file with those of the file that was indexed: one stat for each file.
void look_at_sources(std::span<Citation> citations);

}  // namespace frugal
