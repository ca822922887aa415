// What rag-query does with a question, or with a batch of them: lets a running server answer, or opens the index and
// the models and answers in this process.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "rag/reply/reply.h"
#include "telemetry/trace.h"

namespace frugal::cli {

struct QuestionFlags {
  std::string question, batch;  // a batch: its file, or - for standard input
  std::vector<std::string> paths, where;
  bool explain = false, timings = false, naive = false, end_with_nul = false;
};

/// The question with its restrictions. Throws Error(usage) for one that is none.
Query query_of(const QuestionFlags& flags);

/// Prints the answer, or one for each line of a batch; returns the exit code. `entered`: when main() began, which is
/// `before_main_ns` after the process. Throws Error(usage) for flags that contradict each other.
int answer_question(const Tool& tool, const Settings& settings, const QuestionFlags& flags, int64_t before_main_ns,
                    Trace::Clock::time_point entered);

}  // namespace frugal::cli
