#include "telemetry/child_process.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "base/error.h"

using namespace frugal;

TEST_CASE("a child returns bytes of any length and value, and changes nothing here") {
  int value = 1;
  std::string expected;
  for (int i = 0; i < 300'000; ++i) expected.push_back(static_cast<char>(i * 7));
  const std::string bytes = run_in_child([&] {
    value = 2;
    return expected;
  });
  CHECK(bytes == expected);
  CHECK(value == 1);
  CHECK(run_in_child([] { return std::string(); }).empty());
}

TEST_CASE("an error of a child is thrown with its code, message and hint") {
  try {
    run_in_child([]() -> std::string { throw Error(Code::over_budget, "too much").hint("take less"); });
    FAIL("no error came");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
    CHECK(error.message() == "too much");
    CHECK(error.hint() == "take less");
  }
}

TEST_CASE("a child that is killed or leaves is an internal error that says so") {
  CHECK_THROWS_WITH_AS(run_in_child([]() -> std::string {
                         ::raise(SIGKILL);
                         return {};
                       }),
                       "a child process was ended by signal 9", Error);
  CHECK_THROWS_WITH_AS(run_in_child([]() -> std::string { ::_exit(3); }), "a child process ended with 3", Error);
}
