// Runs another program and measures it from outside: its time, its memory with that of its children, its output.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "telemetry/memory_sampler.h"

namespace frugal {

struct CommandOptions {
  bool capture_output = false;  // else standard output goes to our standard error
  bool capture_errors = false;  // standard error too, else it goes to ours
  bool sample_memory = false;   // costs some 2 % of a core: not while time is measured
  /// After which the command is killed, unless its memory is sampled; 0: never.
  std::chrono::milliseconds timeout{0};
  /// Asked while sampling; true ends the command with SIGTERM.
  std::function<bool()> cancelled;
};

struct CommandResult {
  int exit_code = 0;     // 128 + the signal's number where one ended it
  int64_t begin_ns = 0;  // of the steady clock
  int64_t elapsed_ns = 0;
  bool timed_out = false;
  std::string output;               // what it wrote to standard output, if captured
  std::string errors;               // and to standard error
  std::optional<SampledPeak> peak;  // of the command and everything it started, if sampled
  std::vector<MemoryPoint> series;  // the same over time
};

/// arguments[0] is looked up in PATH. Throws Error(bad_input) if it cannot be started.
CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options = {});

/// What a tool that failed said: the last "error: …" of its standard error with the "hint: …" after it, else its last
/// line that is not blank.
struct Complaint {
  std::string message, hint;
};
Complaint read_complaint(std::string_view errors);

/// A program that is asked line by line and answers line by line, as `rag-query --batch -` does. Its standard error is
/// kept to explain a failure.
class Conversation {
 public:
  /// A program that takes longer than `timeout` for an answer is killed; 0: never.
  explicit Conversation(const std::vector<std::string>& arguments,
                        std::chrono::milliseconds timeout = std::chrono::milliseconds(0));
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  /// Closes its standard input and waits for it.
  ~Conversation();

  int pid() const { return pid_; }
  /// Sends `line` and returns the next line it writes. Throws Error(bad_input) with its complaint if it ends instead or
  /// takes too long.
  std::string ask(const std::string& line);

 private:
  void send(const std::string& message);
  void wait_for_output();
  Error ended();

  std::string name_;
  std::chrono::milliseconds timeout_;
  int pid_ = -1;
  bool waited_for_ = false;
  FileDescriptor to_, from_, errors_;
  std::string pending_;
};

}  // namespace frugal
