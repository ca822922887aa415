#include "base/error.h"

#include <fmt/format.h>
#include <cerrno>
#include <cstring>

namespace frugal {

int exit_code(Code code) {
  switch (code) {
    case Code::negative:
      return 1;
    case Code::usage:
    case Code::bad_input:
    case Code::corrupt_file:
    case Code::io:
      return 2;
    case Code::missing:
    case Code::mismatch:
      return 3;
    case Code::verify_failed:
      return 4;
    case Code::over_budget:
      return 5;
    case Code::remote:
      return 6;
    case Code::internal:
      return 70;
  }
  return 70;
}

std::string_view to_string(Code code) {
  switch (code) {
    case Code::negative:
      return "negative";
    case Code::usage:
      return "usage";
    case Code::bad_input:
      return "bad_input";
    case Code::corrupt_file:
      return "corrupt_file";
    case Code::io:
      return "io";
    case Code::missing:
      return "missing";
    case Code::mismatch:
      return "mismatch";
    case Code::verify_failed:
      return "verify_failed";
    case Code::over_budget:
      return "over_budget";
    case Code::remote:
      return "remote";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

Error io_error(std::string_view doing, std::string_view path) {
  const int error = errno;
  Error result(error == ENOMEM ? Code::over_budget : Code::io,
               fmt::format("cannot {} '{}': {}", doing, path, std::strerror(error)));
  if (error == ENOMEM) result.hint("free memory, or raise the limit on the address space (ulimit -v)");
  if (error == ELOOP) result.hint("remove the link: it is not followed here, or leads to itself");
  if (error == ENOENT) result.hint("check the path");
  if (error == ENOSPC || error == EDQUOT) result.hint("free some space; nothing was replaced");
  if (error == EACCES || error == EPERM) result.hint("check the permissions of the file and of its folder");
  return result;
}

void check_failed(const char* condition, const char* file, int line) {
  throw Error(Code::internal, fmt::format("internal check failed: {} ({}:{})", condition, file, line))
      .hint("this is a bug in frugal; please report it with the command line");
}

}  // namespace frugal
