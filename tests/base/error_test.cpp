#include "base/error.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

using namespace frugal;

TEST_CASE("every code ends in the exit code that the tools document") {
  CHECK(exit_code(Code::negative) == 1);
  CHECK(exit_code(Code::usage) == 2);
  CHECK(exit_code(Code::bad_input) == 2);
  CHECK(exit_code(Code::corrupt_file) == 2);
  CHECK(exit_code(Code::io) == 2);
  CHECK(exit_code(Code::missing) == 3);
  CHECK(exit_code(Code::mismatch) == 3);
  CHECK(exit_code(Code::verify_failed) == 4);
  CHECK(exit_code(Code::over_budget) == 5);
  CHECK(exit_code(Code::remote) == 6);
  CHECK(exit_code(Code::internal) == 70);
}

TEST_CASE("a caller that knows the file puts it before the message and keeps code and hint") {
  Error error(Code::corrupt_file, "field 'dims' is 0");
  error.hint("copy it again").within("model.pack");
  CHECK(std::string(error.what()) == "model.pack: field 'dims' is 0");
  CHECK(error.hint() == "copy it again");
  CHECK(error.code() == Code::corrupt_file);
}

TEST_CASE("an error of the operating system names the path and its reason, and a full disk says what was kept") {
  errno = ENOSPC;
  const Error error = io_error("write", "/somewhere/file");
  CHECK(error.code() == Code::io);
  CHECK(error.message().find("/somewhere/file") != std::string::npos);
  CHECK(error.message().find("No space left") != std::string::npos);
  CHECK(error.hint().find("nothing was replaced") != std::string::npos);
}

TEST_CASE("a failed check is an internal error with its condition, not an abort") {
  try {
    FRUGAL_CHECK(1 + 1 == 3);
    FAIL("passed");
  } catch (const Error& error) {
    CHECK(error.code() == Code::internal);
    CHECK(error.message().find("1 + 1 == 3") != std::string::npos);
  }
}

TEST_CASE("memory that the system refuses is a lack of memory, whatever it was for") {
  errno = ENOMEM;
  const Error error = io_error("map", "model.pack");
  CHECK(error.code() == Code::over_budget);
  CHECK(error.hint().find("ulimit -v") != std::string::npos);
}
