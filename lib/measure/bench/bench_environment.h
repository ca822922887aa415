// Prints the environment of a bench-latency run, as JSON and as text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "measure/bench/environment.h"

namespace frugal {

/// {cpu, isa, cpus, kernel, governor, memory_bytes, busy_percent, steal_percent, others_percent, version, commit,
/// models}.
nlohmann::ordered_json environment_json(const Environment& environment, const std::optional<CpuShare::Percent>& load);
/// One line for the machine, one for its load, one for each model.
std::string environment_text(const Environment& environment, const std::optional<CpuShare::Percent>& load);

}  // namespace frugal
