#include "cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace frugal::cli {
namespace {

std::atomic<int> stop{0};
std::atomic<int> graceful{0};
static_assert(std::atomic<int>::is_always_lock_free, "the handler below may only touch lock-free atomics");

void on_signal(int signal) {
  const bool first = stop.exchange(signal) == 0;
  if (!first || graceful.load() == 0) ::_exit(128 + signal);
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
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace frugal::cli
