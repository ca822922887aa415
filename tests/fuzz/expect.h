// What every fuzz target promises: any input ends well or in an Error of the input's making.
#pragma once

#include "base/error.h"

namespace frugal::fuzz {

/// Runs `body`; an Error is a result, but Error(internal) is a bug of ours, like any other exception.
template <typename Body>
void expect_no_bug(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.code() == Code::internal) throw;
  }
}

}  // namespace frugal::fuzz
