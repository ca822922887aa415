#include "app/cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include "base/error.h"

namespace frugal::cli {
namespace {

std::atomic<int> stop{0};
std::atomic<int> graceful{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use only lock-free atomics");

void on_signal(int signal) {
  const bool first = stop.exchange(signal) == 0;
  if (!first || graceful.load() == 0) ::_exit(128 + signal);
}

// Written by a single write(), which is async-signal-safe.
constexpr std::string_view kTruncatedFile =
    "error: a file was cut short while it was in use\n"
    "hint: packs and indexes must be replaced, not rewritten in place; make the file again, or copy it again\n";

constexpr std::string_view kOutOfMemory =
    "error: out of memory\n"
    "hint: free memory, or use a smaller model or batch\n";

void write_constant(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void on_terminate() {
  try {
    if (std::current_exception()) throw;
  } catch (const std::bad_alloc&) {
    ::_exit(end_out_of_memory());
  } catch (...) {  // a bug: the core shows where
  }
  std::abort();
}

void on_bus_error(int, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) {  // not an access past the end of a file: broken memory, or a bug
    std::signal(SIGBUS, SIG_DFL);
    std::raise(SIGBUS);
    return;
  }
  write_constant(kTruncatedFile);
  ::_exit(exit_code(Code::corrupt_file));
}

}  // namespace

GracefulStop::GracefulStop() {
  ++graceful;
}
GracefulStop::~GracefulStop() {
  --graceful;
}

int stop_signal() {
  return stop.load(std::memory_order_relaxed);
}

void throw_if_interrupted() {
  if (const int signal = stop_signal()) throw Interrupted{signal};
}

int end_out_of_memory() {
  write_constant(kOutOfMemory);
  return exit_code(Code::over_budget);
}

void install_signal_handlers() {
  std::set_terminate(on_terminate);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  struct sigaction bus_error {};
  bus_error.sa_sigaction = on_bus_error;
  bus_error.sa_flags = SA_SIGINFO;
  ::sigemptyset(&bus_error.sa_mask);
  ::sigaction(SIGBUS, &bus_error, nullptr);
  // Both become errors of the write that caused them; a cache that may not grow is no reason to lose the answer.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace frugal::cli
