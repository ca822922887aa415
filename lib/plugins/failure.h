// How a plugin's C functions report exceptions: each returns a status, and the text of the last failure stays for its
// thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

namespace frugal_plugins {

/// An error with the status that the C function returns for it.
struct Failure : std::runtime_error {
  Failure(int32_t status_, const std::string& what) : std::runtime_error(what), status(status_) {}
  int32_t status;
};

inline thread_local char t_error[1024] = "";

/// Sets the error text of this thread, cut to its buffer.
inline void set_error(const char* text) noexcept {
  std::snprintf(t_error, sizeof t_error, "%s", text);
}

/// Runs `body` in a function that must not throw. Returns 0, the status of its Failure, or `otherwise` for any other
/// exception, with the error text set.
template <typename Body>
int32_t guard(int32_t otherwise, const Body& body) noexcept {
  try {
    body();
    return 0;
  } catch (const Failure& failure) {
    set_error(failure.what());
    return failure.status;
  } catch (const std::bad_alloc&) {
    set_error("out of memory");
  } catch (const std::exception& failure) {
    set_error(failure.what());
  } catch (...) {
    set_error("unknown failure");
  }
  return otherwise;
}

}  // namespace frugal_plugins
