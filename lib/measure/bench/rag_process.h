// Asks a rag-query one question from outside, as a user does, and times it: a fresh process, or a running one. Nothing
// of rag-query is linked in, so the shipped program is timed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/command.h"

namespace frugal {

struct LatencySample {
  int64_t question = 0;  // index in the set
  double wall_ms = 0;
  /// As rag-query reports them. "other" is the rest of the wall time, including start and end of the process, so that
  /// the stages add up.
  std::map<std::string, double> stages_ms;
  std::optional<uint64_t> peak_anon_bytes;
  std::optional<uint64_t> pss_bytes;
  std::string answer;  // text and ids, to compare the answers of two modes
  int exit_code = 0;
};

/// Parses one reply of rag-query --format json; wall_ms is its measured wall time. Throws Error(bad_input).
LatencySample parse_reply(std::string_view json, double wall_ms);

/// Runs `command` (rag-query with its flags) for one question. Throws Error(bad_input) with rag-query's own message and
/// hint if it fails, exceeds `timeout` (it is then killed) or does not answer in JSON. `warnings` gets what it wrote to
/// standard error; may be null.
LatencySample ask_fresh_process(const std::vector<std::string>& command, const std::string& question,
                                std::chrono::milliseconds timeout, std::string* warnings = nullptr);

/// A running rag-query with its models loaded.
class RagProcess {
 public:
  RagProcess(const std::vector<std::string>& command, std::chrono::milliseconds timeout);
  int pid() const { return process_.pid(); }
  /// Throws as ask_fresh_process.
  LatencySample ask(const std::string& question);

 private:
  Conversation process_;
};

}  // namespace frugal
