// Citations: quoted bytes of a document, which can be compared with its file later, without a model or an index.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
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

/// A citation of an answer, compared with its file as it is now.
struct CitationCheck {
  Citation citation;
  bool holds = false;
  std::string problem;  // why it does not hold; empty if it does
};
struct AnswerCheck {
  std::vector<CitationCheck> citations;
  std::vector<std::string> problems;  // of answers that are not what their citations say, or have none
  int64_t answers = 0;                // with a text: one that abstained has nothing to check
  bool holds() const;
};

/// Checks answers in rag-query's JSON (one object, or one per line): extracts each cited file again and compares the
/// document's hash, the quoted bytes and their place; an extracted answer must be its quote. Memory for the largest
/// document is reserved in `budget`. Throws Error(bad_input) if the text is not such an answer, Error(over_budget).
AnswerCheck check_citations(std::string_view answer_json, Budget& budget);

/// As text, one line per citation and problem, or as one JSON object.
std::string render_check(const AnswerCheck& check, bool as_json);

}  // namespace frugal
