// The figures of a server process, and of the other workers if there are some: each posts its own on the board that
// they share twice a second, and the one that is asked answers for all.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <vector>

#include "app/api/routes.h"
#include "telemetry/metrics.h"

namespace frugal::api {

struct WorkerState {
  size_t worker = 0;
  /// {"worker", "pid", "state", "uptime_s", "anonymous_bytes", "queue": {…}, "work": {…}}; the last two have counts.
  nlohmann::ordered_json figures;
  std::vector<Metric> metrics = {};
};

/// Of this process.
WorkerState own_state(const Context& context);
/// Of all processes that live, by number; this one's is new, those of the others are half a second old at most. One
/// alone if there are no workers.
std::vector<WorkerState> all_states(const Context& context);
/// Shows the other workers the state of this one. Does nothing without workers.
void post_state(const Context& context);

}  // namespace frugal::api
