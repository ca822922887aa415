// One question asked of a rag-query from outside, as a user does, and timed: of a fresh process or of a running one.
// Not the pipeline: nothing of rag-query is linked, so what is timed is what is shipped.
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
  int64_t question = 0;  // its place in the set
  double wall_ms = 0;
  /// As rag-query reports them; "other" is what is left of the wall, process start and end included, so that they add
  /// up.
  std::map<std::string, double> stages_ms;
  std::optional<uint64_t> peak_anon_bytes;
  std::optional<uint64_t> pss_bytes;
  std::string answer;  // text and hits, to tell whether two modes answered alike
  int exit_code = 0;
};

/// One reply of rag-query --format json, and the wall that it took. Throws Error(bad_input).
LatencySample parse_reply(std::string_view json, double wall_ms);

/// Starts `command` (rag-query with its flags) for one question. Throws Error(bad_input) with rag-query's own message
/// and hint if it fails, is killed after `timeout`, or answers what is not JSON.
LatencySample ask_fresh_process(const std::vector<std::string>& command, const std::string& question,
                                std::chrono::milliseconds timeout);

/// A rag-query that has its models loaded.
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
