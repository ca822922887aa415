// Answers a batch: one question per line in, one JSON object per line out, in the same order.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "rag/answer/pipeline.h"

namespace frugal {

/// Parses a line into `query`: a JSON object with "query" (or "text") and, optionally, "id" (or "_id"), which may be
/// any JSON value, "path" and "where"; any other line is itself the question. "path" (a glob or a list) replaces the
/// globs of the query's filter; "where" (a condition or a list, or an object of values that fields equal) adds
/// conditions. Throws Error(bad_input) for a line that is too long, and for
/// an object that is broken or has no question; `query` then has the id, if it could be read.
void parse_batch_line(std::string_view line, Query& query);

struct BatchResult {
  int64_t asked = 0;   // lines that are not blank
  int64_t failed = 0;  // lines answered by an error object
  int64_t abstained = 0;
};

/// Answers every line that is not blank, each as `asked` with its own text; a byte-order mark before the first is
/// skipped. `emit` gets one JSON object per line, without a line feed, as soon as it is ready; a question that fails
/// gives an error object. explain: as ReplyDetail::explain. `first` is the trace of the first question, which may have
/// begun with the process. Throws Error(missing) and Error(mismatch): a model or an index that cannot be used fails
/// every line. Throws Error(io) if `lines` cannot be read.
BatchResult answer_batch(Pipeline& pipeline, const Query& asked, std::istream& lines, bool explain, Trace first,
                         const std::function<void(const std::string& json)>& emit);

}  // namespace frugal
