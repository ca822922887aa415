// Whether one measurement is slower than another, and whether this machine can tell at all. A gate fails only where the
// samples prove it: one interval and one rule for --baseline, --against and compare (docs/tools/bench-latency.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/statistics.h"
#include "measure/bench/latency.h"

namespace frugal {

/// Fewer runs than this carry no interval worth judging.
constexpr int64_t kLeastGateRuns = 10;
/// A machine whose A/A ratio is further from 1 is noisy.
constexpr double kNoisyFrom = 0.03;

/// The runs of one mode, measured now or read from a report.
struct RunSeries {
  LatencyMode mode = LatencyMode::cold;
  std::vector<double> wall_ms;     // above 0
  std::vector<int64_t> questions;  // of each run, its place in the set
  std::optional<uint64_t> peak_anon_bytes;
  std::string answers_sha256;  // empty: not known
  std::string failure;         // why there are no (more) runs
};
RunSeries series_of(const LatencyRow& row);
std::vector<RunSeries> series_of(std::span<const LatencyRow> rows, Side side);
const RunSeries* find_mode(std::span<const RunSeries> series, LatencyMode mode);

/// How many times the walls of `now` are those of `before`. The k-th run of a question is paired with the k-th of the
/// same question, what is left over is not used; where the two asked different sets, they are not paired.
struct WallRatio {
  Ratio ratio;
  int64_t runs = 0;  // pairs, or the smaller of the two counts
  bool paired = true;
};
/// Both need a run. `paired` false: the places mean different questions.
WallRatio wall_ratio(const RunSeries& now, const RunSeries& before, bool paired = true);
/// Of the largest anonymous peaks; nullopt if one is not known.
std::optional<double> memory_ratio(const RunSeries& now, const RunSeries& before);
/// nullopt if not known, or if they did not ask the same questions.
std::optional<bool> same_answers(const RunSeries& now, const RunSeries& before);

/// The first mode against itself.
struct MachineJudgement {
  LatencyMode mode = LatencyMode::cold;
  WallRatio itself;
  bool noisy() const;
};
/// nullopt without A/A runs, or with fewer than kLeastGateRuns.
std::optional<MachineJudgement> judge_machine(std::span<const LatencyRow> rows);

/// The judgement that speaks for two runs: the noisier one; nullopt if one of them was not judged.
std::optional<MachineJudgement> noisier(const std::optional<MachineJudgement>& a,
                                        const std::optional<MachineJudgement>& b);

enum class Verdict { pass, fail, inconclusive };
std::string_view to_string(Verdict verdict);

/// The rule: fail if the whole interval is above `max`, pass if none of it is, else inconclusive.
Verdict judge_ratio(const Interval& ci95, double max);

struct GateLimits {
  double max_ratio = 1.05;
  std::optional<double> max_memory_ratio;  // bytes do not vary with the machine's load: no interval
};

enum class GatedFigure { wall, peak_anon };
std::string_view to_string(GatedFigure metric);

/// One mode held to one limit.
struct Gate {
  LatencyMode mode = LatencyMode::cold;
  GatedFigure metric = GatedFigure::wall;
  double max_ratio = 1;
  std::optional<double> ratio;
  std::optional<Interval> ci95;  // of the wall
  int64_t runs = 0;
  Verdict verdict = Verdict::inconclusive;
  std::string reason;
};

/// A gate for each mode of `now` and each limit. A mode that ran before and does not now fails; one that did not run
/// before, and the time of every mode on a noisy machine, is inconclusive.
std::vector<Gate> judge_gates(std::span<const RunSeries> now, std::span<const RunSeries> before,
                              const std::optional<MachineJudgement>& machine, const GateLimits& limits);
bool any(std::span<const Gate> gates, Verdict verdict);

/// 1 if any failed, or under `strict` is inconclusive; else 0.
int gates_exit_code(std::span<const Gate> gates, bool strict);

/// What an earlier report says of this rag-query.
struct Baseline {
  std::vector<RunSeries> series;
  std::optional<MachineJudgement> machine;
};

struct GatePlan {
  GateLimits limits;
  int64_t runs = 40;
  int64_t max_runs = 320;            // where a gate stays inconclusive, the runs are doubled up to this
  std::optional<Baseline> baseline;  // without: the rows of the other rag-query
};
/// Throws as LatencyBench::run.
std::vector<Gate> run_gated(LatencyBench& bench, const GatePlan& plan);

}  // namespace frugal
