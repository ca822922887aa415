// Runs another program and measures it from outside: its time, its memory with that of its children, its output.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "memory/stats.h"

namespace frugal {

struct CommandOptions {
  bool capture_output = false;  // else standard output goes to our standard error
  bool sample_memory = false;   // costs some 2 % of a core: not while time is measured
  /// Asked while sampling; true ends the command with SIGTERM.
  std::function<bool()> cancelled;
};

struct CommandResult {
  int exit_code = 0;  // 128 + the signal's number where one ended it
  int64_t elapsed_ns = 0;
  std::string output;               // what it wrote to standard output, if captured
  std::optional<SampledPeak> peak;  // of the command and everything it started, if sampled
};

/// arguments[0] is looked up in PATH. Throws Error(bad_input) if it cannot be started.
CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options = {});

/// A program that is asked line by line and answers line by line, as `rag-query --batch -` does.
class Conversation {
 public:
  explicit Conversation(const std::vector<std::string>& arguments);
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  /// Closes its standard input and waits for it.
  ~Conversation();

  int pid() const { return pid_; }
  /// Sends `line` and returns the next line it writes. Throws Error(bad_input) if it ends instead.
  std::string ask(const std::string& line);

 private:
  std::string name_;
  int pid_ = -1;
  FileDescriptor to_, from_;
  std::string pending_;
};

}  // namespace frugal
