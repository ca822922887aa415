// A rag-query whose questions a running rag-serve answers: what a user sees who keeps a server.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/file.h"
#include "measure/bench/rag_process.h"
#include "telemetry/command.h"

namespace frugal {

class ServedRag {
 public:
  /// Starts the rag-serve beside the rag-query of `command`, over the same index, on a socket of its own. Throws
  /// Error(bad_input) with its complaint if it does not start within `timeout`.
  ServedRag(const std::vector<std::string>& command, std::chrono::milliseconds timeout);

  /// A fresh rag-query that asks the server. Throws as ask_fresh_process(), and Error(bad_input) if the server did not
  /// answer because it has other settings.
  LatencySample ask(const std::string& question);

 private:
  ScratchFolder folder_;
  std::chrono::milliseconds timeout_;
  std::vector<std::string> command_;
  Service server_;
};

}  // namespace frugal
