// Where bench-latency measured, as its reports print it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "measure/bench/environment.h"

namespace frugal {

/// {cpu, isa, cpus, kernel, governor, memory_bytes, busy_percent, steal_percent, version, commit, models}.
nlohmann::ordered_json environment_json(const Environment& environment, const std::optional<CpuShare::Percent>& load);
/// A line for the machine, one for its load, one for each model.
std::string environment_text(const Environment& environment, const std::optional<CpuShare::Percent>& load);

}  // namespace frugal
