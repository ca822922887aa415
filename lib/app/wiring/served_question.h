// Lets a running rag-serve answer a question of rag-query, if it would answer as this process does: the same version,
// index, packs and settings. Otherwise, and where none listens, this process answers by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"

namespace frugal::cli {

struct ServedQuestion {
  std::string text;
  std::vector<std::string> paths, where;
  std::string format;
  bool explain = false;
};

/// Prints the server's answer and returns the exit code; nullopt: no server answered.
std::optional<int> ask_server(const Tool& tool, const Settings& settings, const ServedQuestion& question);

/// Says on standard error that the deadline left no time for an answer.
void warn_of_deadline(const PipelineOptions& asked);

}  // namespace frugal::cli
