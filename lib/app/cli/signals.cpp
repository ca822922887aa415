#include "app/cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "base/error.h"

namespace frugal::cli {
namespace {

std::atomic<int> stop{0};
std::atomic<int> graceful{0};
static_assert(std::atomic<int>::is_always_lock_free, "the handler below may only touch lock-free atomics");

void on_signal(int signal) {
  const bool first = stop.exchange(signal) == 0;
  if (!first || graceful.load() == 0) ::_exit(128 + signal);
}

// In one call, which may be made in a handler.
constexpr std::string_view kCutShort =
    "error: a file was cut short while it was in use\n"
    "hint: packs and indexes are replaced, never rewritten: make it again, or copy it again\n";

void on_bus_error(int, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) {  // broken memory, or an instruction of ours: not the file's end
    std::signal(SIGBUS, SIG_DFL);
    std::raise(SIGBUS);
    return;
  }
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kCutShort.data(), kCutShort.size());
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

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  struct sigaction bus_error {};
  bus_error.sa_sigaction = on_bus_error;
  bus_error.sa_flags = SA_SIGINFO;
  ::sigemptyset(&bus_error.sa_mask);
  ::sigaction(SIGBUS, &bus_error, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace frugal::cli
