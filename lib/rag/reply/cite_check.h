// Compares the citations of a saved answer with the files as they are now, without a model or an index.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "memory/budget.h"
#include "rag/extract/source_map.h"
#include "rag/reply/reply.h"

namespace frugal {

/// What became of a quote. Below, a document is one file or one record of it.
enum class CitationVerdict {
  exact,          // its bytes stand at the cited place
  moved,          // they stand elsewhere in the document, which has changed
  altered,        // the document has most of its words, in their order
  missing,        // neither: or the file is gone or cannot be read
  misattributed,  // it stands in another document that the answer retrieved; or the cited one, which has not changed,
                  // does not have it at that place
};
constexpr std::array<Named<CitationVerdict>, 5> names_of(CitationVerdict) {
  return {{{CitationVerdict::exact, "exact"},
           {CitationVerdict::moved, "moved"},
           {CitationVerdict::altered, "altered"},
           {CitationVerdict::missing, "missing"},
           {CitationVerdict::misattributed, "misattributed"}}};
}

struct CitationCheck {
  Citation citation;
  CitationVerdict verdict = CitationVerdict::missing;
  bool holds = false;                     // exact or moved
  bool document_changed = true;           // no document of the file has the cited hash
  std::string problem;                    // empty if exact
  std::string now_path;                   // where the quote, or what it became, stands now; empty: nowhere
  std::optional<SourceMap::Place> now{};  // there
};
struct AnswerCheck {
  std::vector<CitationCheck> citations;
  std::vector<std::string> problems;  // of answers that are not what their citations say, or have none
  int64_t answers = 0;                // with a text: one that abstained has nothing to check
  bool holds() const;
};

/// Checks answers in rag-query's JSON (one object, or one per line): extracts each cited file again and looks for the
/// quotes; an extracted answer must be its quote. Memory for the largest document is reserved in `budget`. Throws
/// Error(bad_input) if the text is not such an answer, Error(over_budget).
AnswerCheck check_citations(std::string_view answer_json, Budget& budget);

/// Throws Error(verify_failed), with how many do not hold, unless all do.
void require_holds(const AnswerCheck& check);

/// As text, one line per citation and problem, or as one JSON object.
std::string render_check(const AnswerCheck& check, bool as_json);

}  // namespace frugal
