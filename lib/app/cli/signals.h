// Signals of the tools. SIGINT and SIGTERM end a tool with exit code 130 or 143, by default at once. While a
// GracefulStop lives, the first signal only sets a flag, so that the work can stop at a safe point and clean up; a
// second signal ends the tool at once. SIGBUS means that a mapped file was truncated while it was in use: the tool
// cannot continue, and ends with a message and the exit code of a corrupt file.
#pragma once

namespace frugal::cli {

/// Thrown to unwind the tool after a signal; run_tool() turns it into the exit code.
struct Interrupted {
  int signal;
};

/// While one lives, the first SIGINT or SIGTERM sets a flag instead of ending the process.
class GracefulStop {
 public:
  GracefulStop();
  GracefulStop(const GracefulStop&) = delete;
  GracefulStop& operator=(const GracefulStop&) = delete;
  ~GracefulStop();
};

/// The first SIGINT or SIGTERM that arrived; 0: none. Async-signal-safe, callable from any thread.
int stop_signal();
inline bool interrupted() {
  return stop_signal() != 0;
}
/// Throws Interrupted if stop_signal() is not 0.
void throw_if_interrupted();

/// Prints that memory is out and returns the exit code for it. Needs no memory itself: one write() of a constant.
int end_out_of_memory();

/// Installs the handlers and ignores SIGPIPE and SIGXFSZ; called by run_tool(). A std::bad_alloc that no handler
/// catches (one thrown in a destructor or at the start of a thread) ends the tool by end_out_of_memory() instead of
/// SIGABRT.
void install_signal_handlers();

}  // namespace frugal::cli
