// SIGINT and SIGTERM end a tool with 130 and 143. By default at once; while a GracefulStop lives, the first one only
// raises a flag, so that the work can stop at a safe place and clean up, and the second one ends at once.
// SIGBUS, which comes where a mapped file was cut short under its reader, ends it with a message and the code of a
// corrupt file: nothing can be computed on from there.
#pragma once

namespace frugal::cli {

/// Unwinds the tool after a signal; run_tool turns it into the exit code.
struct Interrupted {
  int signal;
};

class GracefulStop {
 public:
  GracefulStop();
  GracefulStop(const GracefulStop&) = delete;
  GracefulStop& operator=(const GracefulStop&) = delete;
  ~GracefulStop();
};

/// The signal that asked to stop, 0 if none did. Async-signal-safe, callable from any thread.
int stop_signal();
inline bool interrupted() {
  return stop_signal() != 0;
}
/// Throws Interrupted if a signal asked to stop.
void throw_if_interrupted();

/// Installs the handlers and ignores SIGPIPE; called by run_tool.
void install_signal_handlers();

}  // namespace frugal::cli
