// Every backend that this machine has: the native one on each instruction set and number of threads, and the torch
// plugin on the processor and on CUDA where it is built and there is a device.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "ops/plugin.h"

namespace frugal::testing {

// The plugin's backends that can be opened here; says once which cannot, and why.
inline const std::vector<std::string>& plugin_backends() {
  static const std::vector<std::string> backends = [] {
    std::vector<std::string> found;
    for (const std::string name : {"torch", "torch:cuda"}) {
      try {
        ThreadPool threads(1);
        make_ops(parse_backend(name), threads, nullptr);
        found.push_back(name);
      } catch (const Error& error) {
        MESSAGE("SKIP: ", name, ": ", error.message());
      }
    }
    return found;
  }();
  return backends;
}

template <typename Check>
void on_every_plugin(Check&& check) {
  for (const std::string& name : plugin_backends()) {
    CAPTURE(name);
    ThreadPool pool(2);
    const auto ops = make_ops(parse_backend(name), pool, nullptr);
    check(*ops);
  }
}

template <typename Check>
void on_every_backend(Check&& check, const std::vector<int>& thread_counts = {1, 3}) {
  for (const Isa isa : supported_isas())
    for (const int threads : thread_counts) {
      CAPTURE(to_string(isa));
      CAPTURE(threads);
      ThreadPool pool(threads);
      check(*make_cpu_ops(pool, nullptr, isa));
    }
  on_every_plugin(check);
}

}  // namespace frugal::testing
