// The Error that a piece of code throws, for tests of what an error says.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace frugal::testing {

/// nullopt if nothing was thrown; other exceptions pass through and fail the test.
template <typename Body>
std::optional<Error> error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// The message, or "no error".
template <typename Body>
std::string message_of(Body&& body) {
  const std::optional<Error> error = error_of(body);
  return error ? error->message() : "no error";
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace frugal::testing
