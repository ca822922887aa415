// A summary as text and as JSON (docs/tools/summarize.md). All text is plain (rag/text/plain_text.h): a document cannot
// send escape sequences to a terminal.
#pragma once

#include <string>
#include <string_view>

#include "rag/summary/summary.h"

namespace frugal {

/// How one sentence stands in a text of this style, with what separates it from those before it: "- … [1]\n".
std::string render_statement(const SummaryStatement& statement, SummaryStyle style, bool is_first, bool with_mark);

/// The sentences and, with marks, the sources below them.
std::string render_summary(const TextSummary& summary, bool with_marks);
/// The sources alone: what follows sentences that were streamed.
std::string render_summary_sources(const TextSummary& summary);

/// What is not in the summary itself.
struct SummaryFrame {
  std::string path;
  std::string model;  // file of its pack; empty: none was used
  std::string note;   // how the file was read, and why no model was used; may be empty
  double elapsed_ms = 0;
  uint64_t peak_anon_bytes = 0;
};
/// One object; `indent` below 0 puts it on one line. Citations are those of rag-query, so rag-query cite-check reads
/// it.
std::string summary_to_json(const TextSummary& summary, const SummaryFrame& frame, int indent);

}  // namespace frugal
