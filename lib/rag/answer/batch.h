// Questions one a line, answered one JSON a line, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "rag/answer/pipeline.h"

namespace frugal {

/// A line of a batch: an object with "query" (or "text") and an optional "id" ("_id"), or else the question itself.
/// Throws Error(bad_input) for an object that is broken or has no question.
Query parse_batch_line(std::string_view line);

struct BatchResult {
  int64_t asked = 0;
  int64_t failed = 0;  // lines that were answered by an error object
  int64_t abstained = 0;
};

/// Answers every line that is not blank; `emit` gets one JSON object, without a line feed, as soon as it is ready,
/// errors included. `explain` as in reply_to_json. The first question's timings begin with `first`.
BatchResult answer_batch(Pipeline& pipeline, std::istream& lines, bool explain, Trace first,
                         const std::function<void(const std::string& json)>& emit);

}  // namespace frugal
