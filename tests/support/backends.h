// Every backend that this machine has: the native one on each instruction set and number of threads, and the torch
// plugin on the processor, on the processor as if it were a device, and on CUDA where it is built and there is one.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/ops/plugin.h"
#include "memory/budget.h"

namespace frugal::testing {

// The plugin's backends that can be opened here; says once which cannot, and why.
inline const std::vector<std::string>& plugin_backends() {
  static const std::vector<std::string> backends = [] {
    std::vector<std::string> found;
    for (const std::string name : {"torch", "torch:cuda"}) {
      try {
        ThreadPool threads(1);
        make_ops(parse_backend(name), threads, Budget::unlimited());
        found.push_back(name);
      } catch (const Error& error) {
        MESSAGE("SKIP: ", name, ": ", error.message());
      }
    }
    return found;
  }();
  return backends;
}

#ifdef FRUGAL_PRETEND_DEVICE
// The torch plugin on the processor as if that were a device (tests/compute/ops/plugins/pretend_device.c).
inline std::unique_ptr<PluginOps> pretended_device(int threads, std::optional<uint64_t> device_bytes = {}) {
  Backend backend{"torch"};
  backend.device_bytes = device_bytes;
  return open_plugin_ops(FRUGAL_PRETEND_DEVICE, backend, threads, Budget::unlimited());
}
#endif

template <typename Check>
void on_every_plugin(Check&& check) {
#ifdef FRUGAL_PRETEND_DEVICE
  if (!plugin_backends().empty()) {
    CAPTURE("pretended device");
    check(*pretended_device(2));
  }
#endif
  for (const std::string& name : plugin_backends()) {
    CAPTURE(name);
    ThreadPool pool(2);
    const auto ops = make_ops(parse_backend(name), pool, Budget::unlimited());
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
      check(*make_cpu_ops(pool, Budget::unlimited(), isa));
    }
  on_every_plugin(check);
}

}  // namespace frugal::testing
