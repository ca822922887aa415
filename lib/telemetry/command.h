// Runs another program and measures it from outside: its time, its output, and its memory including its children.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "telemetry/memory_sampler.h"

namespace frugal {

struct CommandOptions {
  bool capture_output = false;  // otherwise standard output goes to our standard error
  bool capture_errors = false;  // otherwise standard error goes to ours
  bool sample_memory = false;   // costs 2 to 10 % of a core, so not while time is measured
  /// The command is killed after this time, unless its memory is sampled; 0: never.
  std::chrono::milliseconds timeout{0};
  /// Called while sampling; the command is ended with SIGTERM if it returns true.
  std::function<bool()> cancelled;
};

struct CommandResult {
  int exit_code = 0;     // 128 + the signal's number if a signal ended it
  int64_t begin_ns = 0;  // of the steady clock
  int64_t elapsed_ns = 0;
  bool timed_out = false;
  std::string output;               // standard output, if captured
  std::string errors;               // standard error, if captured
  std::optional<SampledPeak> peak;  // of the command and everything it started, if sampled
  std::vector<MemoryPoint> series;  // the same over time
};

/// A command that cannot be started.
class CannotStart : public Error {
 public:
  CannotStart(std::string message, int shell_exit_code)
      : Error(Code::bad_input, std::move(message)), shell_exit_code_(shell_exit_code) {}
  /// As a shell gives it: 127 if there is no such command, else 126.
  int shell_exit_code() const { return shell_exit_code_; }

 private:
  int shell_exit_code_;
};

/// arguments[0] is looked up in PATH. Throws CannotStart.
CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options = {});

/// The message of a tool that failed: the last "error: …" of its standard error with the "hint: …" after it, otherwise
/// its last line that is not blank.
struct Complaint {
  std::string message, hint;
};
Complaint read_complaint(std::string_view errors);

/// A program that runs until its owner ends it with SIGTERM. Its standard error is kept to explain a failure; its
/// standard output goes there, too.
class Service {
 public:
  /// Throws CannotStart.
  explicit Service(const std::vector<std::string>& arguments);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  int pid() const { return pid_; }
  /// Waits until `is_ready` is true. Throws Error(bad_input) with the program's complaint if it ends before, or if that
  /// takes longer than `timeout`.
  void wait_until(const std::function<bool()>& is_ready, std::chrono::milliseconds timeout);

 private:
  std::string name_;
  FileDescriptor errors_;
  int pid_ = -1;
};

/// A program that answers each line with one line, as `rag-query --batch -` does. Its standard error is kept to explain
/// a failure.
class Conversation {
 public:
  /// The program is killed if an answer takes longer than `timeout`; 0: never.
  explicit Conversation(const std::vector<std::string>& arguments,
                        std::chrono::milliseconds timeout = std::chrono::milliseconds(0));
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  /// Closes its standard input and waits for its end.
  ~Conversation();

  int pid() const { return pid_; }
  /// Sends `line` and returns the next line of its output. Throws Error(bad_input) with its complaint if it ends
  /// instead or takes too long.
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
