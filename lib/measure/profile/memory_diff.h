// Two profiles of the same stages side by side, and whether one takes more memory than the other by more than is
// allowed: what `mem-profile diff` prints and a CI run ends with.
// Figures are compared as they are: memory, unlike time, repeats. `elapsed` may be gated too, and is as noisy as the
// machine (bench-latency has intervals).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/profile/memory_record.h"

namespace frugal {

/// The most by which a figure may grow: in percent of what it was, or in its own unit.
struct MemoryGate {
  std::string asked;  // "anon", one of whose figures this is
  MemoryMetric metric = MemoryMetric::peak_anon;
  double limit = 0;
  bool percent = true;
};
/// "anon=5%", "peak_pss=2MiB", "elapsed=20%" and a family's every figure. Throws Error(usage).
std::vector<MemoryGate> parse_gates(std::string_view text);

struct MetricChange {
  MemoryMetric metric = MemoryMetric::peak_anon;
  std::optional<double> before, now;
  bool gated = false;
  bool failed = false;
  std::optional<double> change() const;          // in the metric's unit
  std::optional<double> change_percent() const;  // nullopt from 0 too
};

struct StageChange {
  std::string stage;
  bool in_before = true, in_now = true;
  std::vector<MetricChange> metrics;  // all of them, where the stage is in both
};

struct MemoryDiff {
  std::vector<MemoryGate> gates;
  std::vector<StageChange> stages;  // in the order of `now`, then those that only `before` has
  /// A stage that only one profile has fails as soon as there is a gate: nothing shows that it did not grow.
  bool passed() const;
};

/// Growth in bytes of at most `ignore_below` is never a failure: it is pages that the allocator rounds up. Throws
/// Error(bad_input) if a gate's figure is known nowhere in both.
MemoryDiff compare_memory(const std::vector<StageRecordLine>& before, const std::vector<StageRecordLine>& now,
                          const std::vector<MemoryGate>& gates, uint64_t ignore_below);

/// {schema_version, passed, gates: [{figure, limit_percent | limit}], stages: [{stage, only_in, figures: {peak_anon:
/// {before, now, change, change_percent, gated, failed}, …}}]}. Bytes, and milliseconds for elapsed.
nlohmann::ordered_json diff_json(const MemoryDiff& diff);
/// A row a stage and figure: peaks of anonymous memory and PSS, time, and whatever is gated.
std::string diff_text(const MemoryDiff& diff);

}  // namespace frugal
