// Compares two profiles of the same stages and decides whether memory grew by more than allowed: the output and the
// exit code of `mem-profile diff`. Figures are compared directly: memory, unlike time, repeats. `elapsed` may be gated
// too, and is as noisy as the machine (bench-latency has intervals).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/profile/memory_record.h"

namespace frugal {

/// The maximum growth of a figure: in percent of its earlier value, or in its own unit.
struct MemoryGate {
  std::string requested;  // the gate's name as given: "anon" for peak_anon and held_anon
  MemoryMetric metric = MemoryMetric::peak_anon;
  double limit = 0;
  bool percent = true;
};
/// Parses "anon=5%", "peak_pss=2MiB", "elapsed=20%"; a family gates all its figures. Throws Error(usage).
std::vector<MemoryGate> parse_gates(std::string_view text);

struct MetricChange {
  MemoryMetric metric = MemoryMetric::peak_anon;
  std::optional<double> before, now;
  bool gated = false;
  bool failed = false;
  std::optional<double> change() const;          // in the metric's unit
  std::optional<double> change_percent() const;  // nullopt also if `before` is 0
};

struct StageChange {
  std::string stage;
  bool in_before = true, in_now = true;
  std::vector<MetricChange> metrics;  // all metrics, if both profiles have the stage
};

struct MemoryDiff {
  std::vector<MemoryGate> gates;
  std::vector<StageChange> stages;  // in the order of `now`, then the stages that only `before` has
  /// False if a gate failed. A stage that only one profile has fails whenever there is a gate: nothing shows that it
  /// did not grow.
  bool passed() const;
};

/// Compares stage by stage. Growth of at most `ignore_below` bytes never fails: it is pages that the allocator rounds
/// up. Throws Error(bad_input) if no stage has a gate's figure in both profiles.
MemoryDiff compare_memory(const std::vector<StageRecordLine>& before, const std::vector<StageRecordLine>& now,
                          const std::vector<MemoryGate>& gates, uint64_t ignore_below);

/// {schema_version, passed, gates: [{figure, limit_percent | limit}], stages: [{stage, only_in, figures: {peak_anon:
/// {before, now, change, change_percent, gated, failed}, …}}]}. Bytes, and milliseconds for elapsed.
nlohmann::ordered_json diff_json(const MemoryDiff& diff);
/// One row per stage and figure: peaks of anonymous memory and PSS, time, and every gated figure.
std::string diff_text(const MemoryDiff& diff);

}  // namespace frugal
