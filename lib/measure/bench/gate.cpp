#include "measure/bench/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "measure/bench/environment.h"

namespace frugal {
namespace {

using Positions = std::map<int64_t, std::vector<size_t>>;  // question → indices of its runs, in order

Positions positions_of(const RunSeries& series) {
  Positions positions;
  for (size_t i = 0; i < series.questions.size(); ++i) positions[series.questions[i]].push_back(i);
  return positions;
}

struct Pairs {
  std::vector<double> now, before;
};

Pairs pair_questions(const RunSeries& now, const RunSeries& before) {
  const Positions earlier = positions_of(before);
  Pairs pairs;
  for (const auto& [question, runs] : positions_of(now)) {
    const auto found = earlier.find(question);
    if (found == earlier.end()) continue;
    for (size_t k = 0; k < std::min(runs.size(), found->second.size()); ++k) {
      pairs.now.push_back(now.wall_ms[runs[k]]);
      pairs.before.push_back(before.wall_ms[found->second[k]]);
    }
  }
  return pairs;
}

std::vector<int64_t> distinct(std::vector<int64_t> questions) {
  std::sort(questions.begin(), questions.end());
  questions.erase(std::unique(questions.begin(), questions.end()), questions.end());
  return questions;
}

Gate missing(Gate gate, Verdict verdict, std::string reason) {
  gate.verdict = verdict;
  gate.reason = std::move(reason);
  return gate;
}

std::string noise_of(const MachineJudgement& machine) {
  if (!machine.noisy())
    return fmt::format("the machine was busy: other programs used {:.0f} % of its processors, more than {:.0f} %",
                       *machine.others_percent, kBusyFrom);
  return fmt::format("the machine is noisy: {} against itself was {:.3f} ({:.3f}–{:.3f}), more than {:.0f} % off",
                     to_string(machine.mode), machine.itself.ratio.value, machine.itself.ratio.ci95.low,
                     machine.itself.ratio.ci95.high, 100 * kNoisyFrom);
}

std::string explain(const Gate& gate) {
  switch (gate.verdict) {
    case Verdict::fail:
      return fmt::format("{:.3f} times as long; the whole interval {:.3f}–{:.3f} is above {:g}", *gate.ratio,
                         gate.ci95->low, gate.ci95->high, gate.max_ratio);
    case Verdict::pass:
      return fmt::format("the interval {:.3f}–{:.3f} ends below {:g}", gate.ci95->low, gate.ci95->high, gate.max_ratio);
    case Verdict::inconclusive:
      return fmt::format("the interval {:.3f}–{:.3f} of {} runs contains {:g}: more runs would decide", gate.ci95->low,
                         gate.ci95->high, gate.runs, gate.max_ratio);
  }
  return "";
}

Gate judge_wall(Gate gate, const RunSeries& now, const RunSeries& before,
                const std::optional<MachineJudgement>& machine) {
  const WallRatio wall = wall_ratio(now, before);
  gate.ratio = wall.ratio.value;
  gate.ci95 = wall.ratio.ci95;
  gate.runs = wall.runs;
  if (wall.runs < kMinGateRuns)
    return missing(
        gate, Verdict::inconclusive,
        fmt::format("{} runs of the same questions on both sides; a gate needs {}", wall.runs, kMinGateRuns));
  if (!machine) return missing(gate, Verdict::inconclusive, "the machine was not measured against itself");
  if (machine->noisy() || machine->busy()) return missing(gate, Verdict::inconclusive, noise_of(*machine));
  gate.verdict = judge_ratio(*gate.ci95, gate.max_ratio);
  gate.reason = explain(gate);
  return gate;
}

Gate judge_memory(Gate gate, const RunSeries& now, const RunSeries& before) {
  gate.ratio = memory_ratio(now, before);
  gate.runs = static_cast<int64_t>(now.wall_ms.size());
  if (!gate.ratio) return missing(gate, Verdict::inconclusive, "one side did not report its memory");
  gate.verdict = *gate.ratio > gate.max_ratio ? Verdict::fail : Verdict::pass;
  gate.reason = fmt::format("{} bytes, {} before: {:.3f} is {} {:g}", *now.peak_anon_bytes, *before.peak_anon_bytes,
                            *gate.ratio, gate.verdict == Verdict::fail ? "above" : "not above", gate.max_ratio);
  return gate;
}

Gate judge_mode(const Gate& limit, const RunSeries& now, std::span<const RunSeries> all_before,
                const std::optional<MachineJudgement>& machine) {
  const RunSeries* before = find_mode(all_before, now.mode);
  if (!before || before->wall_ms.empty())
    return missing(limit, Verdict::inconclusive,
                   before && !before->failure.empty() ? "did not run before: " + before->failure
                                                      : "the other side has no runs of this mode");
  if (!now.failure.empty()) return missing(limit, Verdict::fail, "ran before, and now: " + now.failure);
  return limit.metric == GatedFigure::wall ? judge_wall(limit, now, *before, machine)
                                           : judge_memory(limit, now, *before);
}

// Runs beyond those of the baseline have no partner, but they may still show that the machine is quiet. More runs
// cannot help if the baseline itself was taken on a noisy or busy machine, or if this one is busy.
bool more_would_help(std::span<const Gate> gates, int64_t rounds, const std::optional<MachineJudgement>& here,
                     const GatePlan& plan) {
  if (!here || here->busy()) return false;
  if (plan.baseline && (!plan.baseline->machine || plan.baseline->machine->verdict() != "quiet")) return false;
  return std::any_of(gates.begin(), gates.end(), [&](const Gate& gate) {
    return gate.verdict == Verdict::inconclusive && gate.ci95 && (here->noisy() || gate.runs >= rounds);
  });
}

}  // namespace

RunSeries series_of(const LatencyRow& row) {
  RunSeries series;
  series.mode = row.mode;
  if (row.failure) series.failure = row.failure->message;
  for (const LatencySample& sample : row.samples) {
    series.wall_ms.push_back(sample.wall_ms);
    series.questions.push_back(sample.question);
  }
  series.peak_anon_bytes = largest_peak_anon(row);
  if (!row.samples.empty()) series.answers_sha256 = answers_sha256(row);
  return series;
}

std::vector<RunSeries> series_of(std::span<const LatencyRow> rows, Side side) {
  std::vector<RunSeries> series;
  for (const LatencyRow& row : rows)
    if (row.side == side) series.push_back(series_of(row));
  return series;
}

const RunSeries* find_mode(std::span<const RunSeries> series, LatencyMode mode) {
  const auto found = std::find_if(series.begin(), series.end(), [&](const RunSeries& s) { return s.mode == mode; });
  return found == series.end() ? nullptr : &*found;
}

WallRatio wall_ratio(const RunSeries& now, const RunSeries& before, bool paired) {
  FRUGAL_CHECK(!now.wall_ms.empty() && !before.wall_ms.empty());
  if (paired) {
    const Pairs pairs = pair_questions(now, before);
    if (!pairs.now.empty())
      return {paired_ratio(pairs.now, pairs.before), static_cast<int64_t>(pairs.now.size()), true};
  }
  const size_t runs = std::min(now.wall_ms.size(), before.wall_ms.size());
  return {unpaired_ratio(now.wall_ms, before.wall_ms), static_cast<int64_t>(runs), false};
}

std::optional<double> memory_ratio(const RunSeries& now, const RunSeries& before) {
  if (!now.peak_anon_bytes || before.peak_anon_bytes.value_or(0) == 0) return std::nullopt;
  return static_cast<double>(*now.peak_anon_bytes) / static_cast<double>(*before.peak_anon_bytes);
}

std::optional<bool> same_answers(const RunSeries& now, const RunSeries& before) {
  if (now.answers_sha256.empty() || before.answers_sha256.empty()) return std::nullopt;
  if (distinct(now.questions) != distinct(before.questions)) return std::nullopt;
  return now.answers_sha256 == before.answers_sha256;
}

bool MachineJudgement::noisy() const {
  return std::fabs(itself.ratio.value - 1) > kNoisyFrom;
}

bool MachineJudgement::busy() const {
  return others_percent.value_or(0) > kBusyFrom;
}

std::string_view MachineJudgement::verdict() const {
  if (noisy()) return "noisy";
  return busy() ? "busy" : "quiet";
}

std::optional<MachineJudgement> judge_machine(std::span<const LatencyRow> rows, std::optional<double> others_percent) {
  for (const LatencyRow& again : rows) {
    if (again.side != Side::itself || static_cast<int64_t>(again.samples.size()) < kMinGateRuns) continue;
    for (const LatencyRow& row : rows)
      if (row.side == Side::measured && row.mode == again.mode && !row.samples.empty())
        return MachineJudgement{row.mode, wall_ratio(series_of(again), series_of(row)), others_percent};
  }
  return std::nullopt;
}

std::optional<MachineJudgement> noisier(const std::optional<MachineJudgement>& a,
                                        const std::optional<MachineJudgement>& b) {
  if (!a || !b) return std::nullopt;
  const auto off = [](const MachineJudgement& machine) { return std::fabs(machine.itself.ratio.value - 1); };
  MachineJudgement both = off(*a) < off(*b) ? *b : *a;
  both.others_percent = std::max(a->others_percent, b->others_percent);  // nullopt is less than any
  return both;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "fail";
    case Verdict::inconclusive:
      return "inconclusive";
  }
  return "";
}

std::string_view to_string(GatedFigure metric) {
  return metric == GatedFigure::wall ? "wall" : "peak_anon";
}

Verdict judge_ratio(const Interval& ci95, double max) {
  if (ci95.low > max) return Verdict::fail;
  return ci95.high <= max ? Verdict::pass : Verdict::inconclusive;
}

std::vector<Gate> judge_gates(std::span<const RunSeries> now, std::span<const RunSeries> before,
                              const std::optional<MachineJudgement>& machine, const GateLimits& limits) {
  std::vector<Gate> gates;
  for (const RunSeries& series : now) {
    Gate limit;
    limit.mode = series.mode;
    limit.max_ratio = limits.max_ratio;
    gates.push_back(judge_mode(limit, series, before, machine));
    if (!limits.max_memory_ratio) continue;
    limit.metric = GatedFigure::peak_anon;
    limit.max_ratio = *limits.max_memory_ratio;
    gates.push_back(judge_mode(limit, series, before, machine));
  }
  return gates;
}

bool any(std::span<const Gate> gates, Verdict verdict) {
  return std::any_of(gates.begin(), gates.end(), [&](const Gate& gate) { return gate.verdict == verdict; });
}

int gates_exit_code(std::span<const Gate> gates, bool strict) {
  return any(gates, Verdict::fail) || (strict && any(gates, Verdict::inconclusive));
}

std::vector<Gate> run_gated(LatencyBench& bench, const GatePlan& plan) {
  const CpuShare share;
  bench.run(plan.runs);
  for (;;) {
    const std::optional<CpuShare::Percent> load = plan.baseline ? share.since() : std::nullopt;
    const std::optional<MachineJudgement> here =
        judge_machine(bench.rows(), load ? std::optional(load->others) : std::nullopt);
    const std::vector<RunSeries> now = series_of(bench.rows(), Side::measured);
    std::vector<Gate> gates =
        plan.baseline ? judge_gates(now, plan.baseline->series, noisier(here, plan.baseline->machine), plan.limits)
                      : judge_gates(now, series_of(bench.rows(), Side::against), here, plan.limits);
    if (bench.rounds() >= plan.max_runs || !more_would_help(gates, bench.rounds(), here, plan)) return gates;
    bench.run(std::min(bench.rounds(), plan.max_runs - bench.rounds()));
  }
}

}  // namespace frugal
