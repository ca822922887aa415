#include "app/serve/workers.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace frugal::serve {
namespace {

// A worker that dies again and again is started once a second.
constexpr timespec kRestartDelay{1, 0};

class SignalsBlocked {
 public:
  SignalsBlocked() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set_, signal);
    ::sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { restore(); }
  void restore() const { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  int wait() const { return ::sigwaitinfo(&set_, nullptr); }

 private:
  sigset_t set_{}, before_{};
};

// The process of the worker; 0 in the worker itself.
pid_t fork_worker(const SignalsBlocked& signals) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw io_error("start", "a worker");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::raise(SIGTERM);  // it died before it could have been waited for
  signals.restore();
  return 0;
}

void pass_on(const std::vector<pid_t>& workers, int signal) {
  for (const pid_t worker : workers)
    if (worker > 0) ::kill(worker, signal);
}

// The numbers of the workers that have ended, whose processes become 0.
std::vector<size_t> bury(std::vector<pid_t>& workers) {
  std::vector<size_t> ended;
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG))
    if (const auto worker = std::find(workers.begin(), workers.end(), pid); worker != workers.end()) {
      *worker = 0;
      ended.push_back(size_t(worker - workers.begin()));
    }
  return ended;
}

bool any_lives(const std::vector<pid_t>& workers) {
  return std::any_of(workers.begin(), workers.end(), [](pid_t worker) { return worker > 0; });
}

}  // namespace

void run_workers(size_t count, const std::function<void(size_t worker)>& work, const std::function<void()>& started) {
  const SignalsBlocked signals;
  std::vector<pid_t> workers(count);
  for (size_t worker = 0; worker < count; ++worker) {
    workers[worker] = fork_worker(signals);
    if (workers[worker] == 0) return work(worker);
  }
  started();
  bool stops = false;
  while (any_lives(workers)) {
    const int signal = signals.wait();
    stops = stops || signal == SIGTERM || signal == SIGINT;
    if (signal > 0 && signal != SIGCHLD) pass_on(workers, signal);
    for (const size_t worker : bury(workers)) {
      if (stops) continue;
      log(LogLevel::warn, "a worker has ended, and is started again");
      ::nanosleep(&kRestartDelay, nullptr);
      workers[worker] = fork_worker(signals);
      if (workers[worker] == 0) return work(worker);
    }
  }
}

}  // namespace frugal::serve
