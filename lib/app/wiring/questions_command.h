// The subcommand `rag-eval questions FILE`: measures an index on hand-written questions (measure/eval/question_file.h).
#pragma once

#include <cstdint>
#include <filesystem>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"

namespace frugal::cli {

/// Its arguments.
struct QuestionsCommand {
  std::filesystem::path file;
};

/// Declares the subcommand; it is asked for if the result is parsed(). Borrows `command`.
CLI::App* declare_questions(Tool& tool, QuestionsCommand& command);

/// Asks the first `limit` questions, 0: all, and prints the report; returns exit code 0. Throws Error(usage) for a flag
/// that only a set can use, Error(bad_input) for a file without questions, and what the pipeline throws.
int measure_questions(const QuestionsCommand& command, int64_t limit, Tool& tool, const Settings& settings);

}  // namespace frugal::cli
