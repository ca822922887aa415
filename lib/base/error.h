// The library's only exception type: a code, a message that says what went wrong and where, and a hint for the user.
// Absence is not an error (use std::optional); a bug of our own is FRUGAL_CHECK.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace frugal {

enum class Code {
  negative,       // ran, but the result is negative (abstained, gate failed, files skipped under --strict)
  usage,          // wrong flags or configuration
  bad_input,      // an input that cannot be used: missing file, wrong type, not UTF-8
  corrupt_file,   // an input whose bytes contradict themselves
  io,             // the operating system refused: disk full, permission, unreadable
  missing,        // a model or an index does not exist
  mismatch,       // a model or an index exists and is the wrong one
  verify_failed,  // a verification ran and failed
  over_budget,    // the memory budget does not allow it
  remote,         // a remote service is unavailable
  internal,       // a bug of ours
};

/// Exit code of a tool that ends with `code` (docs/tools): 1 negative, 2 usage or bad input, 3 model or index missing
/// or mismatched, 4 verification failed, 5 memory budget, 6 remote unavailable, 70 internal.
int exit_code(Code code);
std::string_view to_string(Code code);

class Error : public std::exception {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  /// Attaches advice for the user. Chains: `throw Error(...).hint(...)`.
  Error& hint(std::string text) {
    hint_ = std::move(text);
    return *this;
  }
  /// Prefixes the message with `where`: for a caller that knows the file where the thrower knew only the field.
  Error& within(std::string_view where) {
    message_ = std::string(where) + ": " + message_;
    return *this;
  }

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
  std::string hint_;
};

/// Error(io): "cannot DOING 'PATH': " and the text of the current errno; of ENOMEM, Error(over_budget).
Error io_error(std::string_view doing, std::string_view path);

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace frugal

#define FRUGAL_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::frugal::check_failed(#condition, __FILE__, __LINE__))
