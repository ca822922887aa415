// Limits that a profile is held to while it is taken: what mem-profile says as events, and ends with exit code 1 for.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/profile/memory_record.h"
#include "telemetry/metrics.h"
#include "telemetry/system_memory.h"

namespace frugal {

/// Every figure of memory_record.h, above a limit; and in percent `pressure`, of the last 10 s in which some task
/// waited for memory, and `fragmentation` of the pools above one. Below one: `available` memory, and `hit_rate`,
/// percent of the blocks of weights that were there when they were asked for.
struct AlertRule {
  std::string figure;
  double limit = 0;
};
/// "peak_anon=64MiB", "anon=64MiB" (two rules), "elapsed=500" (ms), "available=1GiB", "hit_rate=90". Throws
/// Error(usage).
std::vector<AlertRule> parse_alert(std::string_view text);

struct MemoryAlert {
  std::string stage, figure;
  double limit = 0, value = 0;
};
/// What is known beside a stage's record.
struct AlertFigures {
  uint64_t least_available_bytes = 0;
  std::optional<double> pressure, hit_rate, fragmentation;  // percent
};
/// From what the registry holds (telemetry/metrics.h). The worst pool speaks for all.
AlertFigures alert_figures(uint64_t least_available_bytes, const std::optional<MemoryPressure>& pressure,
                           const std::vector<Metric>& metrics);

/// What is not known raises no alert.
std::vector<MemoryAlert> check_alerts(const std::vector<AlertRule>& rules, const StageRecordLine& stage,
                                      const AlertFigures& figures);

/// {schema_version, event: "alert", stage, figure, limit, value}: bytes, milliseconds or percent.
nlohmann::ordered_json alert_json(const MemoryAlert& alert);
std::string alert_text(const MemoryAlert& alert);

}  // namespace frugal
