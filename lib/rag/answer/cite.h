// Citations: bytes of a document that anyone can compare with the file again, without a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "rag/answer/query.h"

namespace frugal {

/// The bytes [begin, end) of a hit's text as citation number `n`.
Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n);

/// One citation of an answer, compared with its file as it is now.
struct CitationCheck {
  Citation citation;
  bool holds = false;
  std::string problem;  // why it does not
};

/// Reads the citations of an answer in this tool's JSON (one object, or one a line), extracts each cited file again and
/// compares hash and bytes. A file may be as large as it is: memory is bounded by `budget` (may be null), in which the
/// longest document is reserved. Throws Error(bad_input) if the text is not such an answer, Error(over_budget).
std::vector<CitationCheck> check_citations(std::string_view answer_json, Budget& budget);

}  // namespace frugal
