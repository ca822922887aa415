// Citations: quoted bytes of a document, which can be compared with its file later, without a model or an index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "rag/answer/query.h"

namespace frugal {

/// Makes citation number `n` of the bytes [begin, end) of a hit's text.
Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n);

/// A citation of an answer, compared with its file as it is now.
struct CitationCheck {
  Citation citation;
  bool holds = false;
  std::string problem;  // why it does not hold; empty if it does
};

/// Checks the citations of answers in rag-query's JSON (one object, or one per line): extracts each cited file again
/// and compares the document's hash and the quoted bytes. Files may be of any size: the memory for the largest document
/// is reserved in `budget`. Throws Error(bad_input) if the text is not such an answer, Error(over_budget).
std::vector<CitationCheck> check_citations(std::string_view answer_json, Budget& budget);

}  // namespace frugal
