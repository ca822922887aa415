// Judges whether one measurement is slower than another, and whether this machine can show it. A gate fails only where
// the samples prove it. --baseline, --against and compare use the same interval and the same rule
// (docs/tools/bench-latency.md).
//
// How a gate decides. Times on a shared machine vary by more than the changes that a gate looks for, so a ratio of two
// medians proves nothing. Four steps remove the noise or report it:
//
// - Pairs. Every round asks both sides the same question, shortly after each other. The k-th run of a question is
//   paired with the other side's k-th run of it, and only the ratio within a pair counts: a hard question or a busy
//   moment slows both and cancels out. A baseline from a file is paired the same way, by question, but its runs are of
//   other moments, which no pair can cancel.
// - Interval. The ratio is exp of the 20 % trimmed mean of the log ratios, with a 95 % bootstrap interval over pairs
//   (paired_ratio in base/statistics.h).
// - A/A. The first mode is also measured against itself. If this ratio, which should be 1, is further than kNoisyFrom
//   from 1, the machine disturbs the runs by more than a gate looks for, and no time is judged at all. A load that
//   stays the same throughout passes this test. It slows both sides of an A/B in turns, but not an earlier run, so runs
//   of other moments are compared only if other programs used no more than kBusyFrom of the processors in both.
// - Three verdicts. fail: the whole interval is above the limit. pass: none of it is above. inconclusive: the limit
//   lies inside. run_gated() doubles the runs while that could decide, up to max_runs; the interval shrinks with the
//   square root of the runs.
//
// So a gate fails by chance only if the true ratio lies below the whole of a 95 % interval, and a noisy machine gives
// "inconclusive" rather than a verdict (scripts/gate-power counts false alarms and misses). Peaks of memory do not
// depend on the load: they are compared directly, without an interval.
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

/// Fewer runs than this give no usable interval.
constexpr int64_t kMinGateRuns = 10;
/// A machine whose A/A ratio is further from 1 is noisy.
constexpr double kNoisyFrom = 0.03;
/// A machine of whose processors' time other programs used more percent than this is busy.
constexpr double kBusyFrom = 10;

/// The runs of one mode, from this process or from a report.
struct RunSeries {
  LatencyMode mode = LatencyMode::cold;
  std::vector<double> wall_ms;     // above 0
  std::vector<int64_t> questions;  // for each run, the question's index in the set
  std::optional<uint64_t> peak_anon_bytes;
  std::string answers_sha256;  // empty: unknown
  std::string failure;         // the reason why there are no (more) runs
};
RunSeries series_of(const LatencyRow& row);
std::vector<RunSeries> series_of(std::span<const LatencyRow> rows, Side side);
const RunSeries* find_mode(std::span<const RunSeries> series, LatencyMode mode);

/// The ratio of wall times now / before. The k-th run of a question is paired with the other side's k-th run of it;
/// runs without a partner are not used. If the two sides asked different sets, the ratio is unpaired.
struct WallRatio {
  Ratio ratio;
  int64_t runs = 0;  // pairs, or the smaller of the two counts
  bool paired = true;
};
/// Both sides need at least one run. `paired` false: equal indices mean different questions.
WallRatio wall_ratio(const RunSeries& now, const RunSeries& before, bool paired = true);
/// The ratio of the largest anonymous peaks; nullopt if one is unknown.
std::optional<double> memory_ratio(const RunSeries& now, const RunSeries& before);
/// True if both gave the same answers; nullopt if unknown, or if they asked different questions.
std::optional<bool> same_answers(const RunSeries& now, const RunSeries& before);

/// The A/A measurement, the first mode against itself, and the load.
struct MachineJudgement {
  LatencyMode mode = LatencyMode::cold;
  WallRatio itself;
  std::optional<double> others_percent;  // of the processors' time, used by other programs (CpuShare); nullopt: unknown
  bool noisy() const;
  bool busy() const;
  /// "noisy", "busy" or "quiet", which is neither.
  std::string_view verdict() const;
};
/// nullopt without A/A runs, or with fewer than kMinGateRuns. `others_percent` nullopt: the load does not matter, since
/// the runs are compared with each other.
std::optional<MachineJudgement> judge_machine(std::span<const LatencyRow> rows,
                                              std::optional<double> others_percent = {});

/// The judgement for two runs together: the noisier one, with the larger load; nullopt if one of them was not judged.
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

/// One limit on one mode, and the verdict.
struct Gate {
  LatencyMode mode = LatencyMode::cold;
  GatedFigure metric = GatedFigure::wall;
  double max_ratio = 1;
  std::optional<double> ratio;
  std::optional<Interval> ci95;  // wall time only
  int64_t runs = 0;
  Verdict verdict = Verdict::inconclusive;
  std::string reason;
};

/// One gate for each mode of `now` and each limit. A mode that ran before and fails now fails its gates. A mode that
/// did not run before is inconclusive, and so is the time of every mode on a noisy or busy machine.
std::vector<Gate> judge_gates(std::span<const RunSeries> now, std::span<const RunSeries> before,
                              const std::optional<MachineJudgement>& machine, const GateLimits& limits);
bool any(std::span<const Gate> gates, Verdict verdict);

/// 1 if any gate failed, or with `strict` is inconclusive; otherwise 0.
int gates_exit_code(std::span<const Gate> gates, bool strict);

/// The runs and the judgement of an earlier report of this rag-query.
struct Baseline {
  std::vector<RunSeries> series;
  std::optional<MachineJudgement> machine;
};

struct GatePlan {
  GateLimits limits;
  int64_t runs = 40;
  int64_t max_runs = 320;            // while a gate is inconclusive, the runs are doubled up to this
  std::optional<Baseline> baseline;  // nullopt: compare with the other rag-query
};
/// Measures and judges, with more runs while they could decide an inconclusive gate. Throws as LatencyBench::run.
std::vector<Gate> run_gated(LatencyBench& bench, const GatePlan& plan);

}  // namespace frugal
