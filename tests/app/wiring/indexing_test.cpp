#include "app/wiring/indexing.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

#include "app/cli/signals.h"

using namespace frugal;

namespace {

/// What `body` writes to standard error in a process of its own: a signal that asked to stop is not forgotten.
std::string errors_of(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(got));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

std::string interrupted_at(IndexProgress progress) {
  return errors_of([progress] {
    cli::install_signal_handlers();
    const auto report = index_progress_bars();
    report({progress.stage, 0, progress.total});
    std::raise(SIGINT);
    try {
      report(progress);
    } catch (const cli::Interrupted&) {
    }
  });
}

}  // namespace

TEST_CASE("a run that is interrupted says how far it came, and that it can be continued") {
  CHECK(interrupted_at({IndexProgress::Stage::embedding, 128, 1894}) ==
        "interrupted: 128 of 1894 chunks embedded; run the command again to continue\n");
  CHECK(interrupted_at({IndexProgress::Stage::reading, 37, 0}) ==
        "interrupted: 37 files read; run the command again to continue\n");
}
