// Limits checked while a profile is measured: mem-profile reports each violation as an event and exits with 1.
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

/// A limit on one figure. Upper limits: every figure of memory_record.h, and in percent `pressure` (time in the last 10
/// s in which some task waited for memory) and `fragmentation` (of the pools). Lower limits: `available` memory, and
/// `hit_rate` (percent of the weight blocks that were resident when used).
struct AlertRule {
  std::string figure;
  double limit = 0;
};
/// Parses "peak_anon=64MiB", "anon=64MiB" (two rules), "elapsed=500" (ms), "available=1GiB", "hit_rate=90". Throws
/// Error(usage).
std::vector<AlertRule> parse_alert(std::string_view text);

struct MemoryAlert {
  std::string stage, figure;
  double limit = 0, value = 0;
};
/// Figures that are not in a stage's record; nullopt: unknown.
struct AlertFigures {
  uint64_t least_available_bytes = 0;
  std::optional<double> pressure, hit_rate, fragmentation;  // percent
};
/// Reads the figures from the metric registry (telemetry/metrics.h). The worst pool's fragmentation counts.
AlertFigures alert_figures(uint64_t least_available_bytes, const std::optional<MemoryPressure>& pressure,
                           const std::vector<Metric>& metrics);

/// The violations. An unknown figure raises no alert.
std::vector<MemoryAlert> check_alerts(const std::vector<AlertRule>& rules, const StageRecordLine& stage,
                                      const AlertFigures& figures);

/// {schema_version, event: "alert", stage, figure, limit, value}: bytes, milliseconds or percent.
nlohmann::ordered_json alert_json(const MemoryAlert& alert);
std::string alert_text(const MemoryAlert& alert);

}  // namespace frugal
