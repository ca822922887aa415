// The end of a tool whose memory is out: the documented exit code and a message, never SIGABRT.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <new>
#include <string>

#include "app/cli/signals.h"

using namespace frugal::cli;

namespace {

struct End {
  int status = 0;
  std::string message;  // on standard error
};

// How a process ends that runs `body` with the handlers of the tools.
End end_of(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);  // not doctest's, which would report a crash
    install_signal_handlers();
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  End end;
  char block[512];
  for (ssize_t got; (got = ::read(ends[0], block, sizeof block)) > 0;) end.message.append(block, size_t(got));
  ::close(ends[0]);
  ::waitpid(child, &end.status, 0);
  return end;
}

void run_out_of_memory() {
  throw std::bad_alloc();
}
void fail() {
  throw 1;
}

struct ThrowsWhenDestroyed {
  ~ThrowsWhenDestroyed() { run_out_of_memory(); }  // a destructor is noexcept: nothing can catch it
};

}  // namespace

TEST_CASE("memory that runs out where nothing can catch it ends a tool with exit code 5") {
  const End end = end_of([] { ThrowsWhenDestroyed destroyed; });
  CHECK(WIFEXITED(end.status));
  CHECK(WEXITSTATUS(end.status) == 5);
  CHECK(end.message.find("error: out of memory\nhint: ") != std::string::npos);
}

TEST_CASE("any other exception that nothing catches still aborts") {
  const End end = end_of([]() noexcept { fail(); });
  CHECK(WIFSIGNALED(end.status));
}
