#include "measure/bench/gate.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace frugal;
using doctest::Approx;

namespace {

// `runs` runs over 5 questions that take 10, 20, … 50 ms, each `factor` times that, give or take `spread`.
RunSeries series(double factor, int runs = 40, double spread = 0) {
  RunSeries made;
  for (int i = 0; i < runs; ++i) {
    const double noise = 1 + spread * std::sin(i * 2.4 + factor);  // neither sorted nor periodic in 5
    made.questions.push_back(i % 5);
    made.wall_ms.push_back(10.0 * (i % 5 + 1) * factor * noise);
  }
  made.peak_anon_bytes = 1000;
  made.answers_sha256 = "same";
  return made;
}

MachineJudgement machine(double ratio) {
  MachineJudgement judged;
  judged.itself.ratio = {ratio, {ratio - 0.01, ratio + 0.01}};
  return judged;
}

Gate only_gate(const RunSeries& now, const RunSeries& before, std::optional<MachineJudgement> judged = machine(1)) {
  const std::vector<Gate> gates = judge_gates(std::vector{now}, std::vector{before}, judged, {});
  REQUIRE(gates.size() == 1);
  return gates[0];
}

LatencyRow row(Side side, double factor, int runs) {
  LatencyRow made;
  made.side = side;
  const RunSeries walls = series(factor, runs);
  for (size_t i = 0; i < walls.wall_ms.size(); ++i) {
    LatencySample sample;
    sample.question = walls.questions[i];
    sample.wall_ms = walls.wall_ms[i];
    made.samples.push_back(sample);
  }
  return made;
}

}  // namespace

TEST_CASE("a gate fails only where the whole interval is over the limit, passes only where none of it is") {
  CHECK(judge_ratio({1.06, 1.20}, 1.05) == Verdict::fail);
  CHECK(judge_ratio({1.05, 1.20}, 1.05) == Verdict::inconclusive);  // the lower end is not over
  CHECK(judge_ratio({0.90, 1.20}, 1.05) == Verdict::inconclusive);
  CHECK(judge_ratio({0.90, 1.05}, 1.05) == Verdict::pass);
  CHECK(judge_ratio({0.50, 0.60}, 1.05) == Verdict::pass);
}

TEST_CASE("the same pace passes, ten percent more fails, and noise as wide as the limit is inconclusive") {
  CHECK(only_gate(series(1, 40, 0.01), series(1.001, 40, 0.01)).verdict == Verdict::pass);
  const Gate slower = only_gate(series(1.1, 40, 0.01), series(1, 40, 0.01));
  CHECK(slower.verdict == Verdict::fail);
  CHECK(*slower.ratio == Approx(1.1).epsilon(0.01));
  CHECK(slower.reason.find("above 1.05") != std::string::npos);
  CHECK(only_gate(series(1.05, 40, 0.3), series(1, 40, 0.3)).verdict == Verdict::inconclusive);
}

TEST_CASE("on a noisy machine, or one that was not judged, time is inconclusive and memory is judged all the same") {
  RunSeries now = series(2);
  now.peak_anon_bytes = 1100;
  GateLimits limits;
  limits.max_memory_ratio = 1.05;
  for (const auto& judged :
       {std::optional(machine(1.031)), std::optional(machine(0.969)), std::optional<MachineJudgement>()}) {
    const std::vector<Gate> gates = judge_gates(std::vector{now}, std::vector{series(1)}, judged, limits);
    REQUIRE(gates.size() == 2);
    CHECK(gates[0].verdict == Verdict::inconclusive);
    CHECK(gates[1].metric == GatedFigure::peak_anon);
    CHECK(gates[1].verdict == Verdict::fail);
    CHECK(*gates[1].ratio == Approx(1.1));
  }
  CHECK(only_gate(series(2), series(1), machine(1.029)).verdict == Verdict::fail);
  now.peak_anon_bytes = 1050;
  CHECK(judge_gates(std::vector{now}, std::vector{series(1)}, machine(1), limits)[1].verdict == Verdict::pass);
  now.peak_anon_bytes.reset();
  CHECK(judge_gates(std::vector{now}, std::vector{series(1)}, machine(1), limits)[1].verdict == Verdict::inconclusive);
}

TEST_CASE("times of other moments are inconclusive on a busy machine, and a machine is quiet only without load") {
  MachineJudgement loaded = machine(1.01);
  CHECK(loaded.verdict() == "quiet");
  loaded.others_percent = kBusyFrom;
  CHECK(loaded.verdict() == "quiet");
  loaded.others_percent = 35;
  CHECK(loaded.verdict() == "busy");
  const Gate gate = only_gate(series(2), series(1), loaded);
  CHECK(gate.verdict == Verdict::inconclusive);
  CHECK(gate.reason == "the machine was busy: other programs used 35 % of its processors, more than 10 %");
  CHECK(noisier(machine(1.02), loaded)->verdict() == "busy");
  CHECK(noisier(loaded, machine(1.02))->verdict() == "busy");
  loaded.itself.ratio.value = 1.04;
  CHECK(loaded.verdict() == "noisy");
  const std::vector<LatencyRow> rows = {row(Side::measured, 1, 10), row(Side::itself, 1, 10)};
  CHECK(judge_machine(rows, 35)->verdict() == "busy");
  CHECK(judge_machine(rows)->verdict() == "quiet");
}

TEST_CASE("runs are paired by question, the k-th with the k-th, and what is left over is not used") {
  RunSeries now, before;
  now.questions = {0, 1, 0, 2};
  now.wall_ms = {10, 400, 30, 7};
  before.questions = {1, 0, 0, 0, 3};
  before.wall_ms = {200, 5, 10, 999, 7};
  const WallRatio wall = wall_ratio(now, before);  // 10/5, 30/10, 400/200
  CHECK(wall.paired);
  CHECK(wall.runs == 3);
  CHECK(wall.ratio.value == Approx(std::cbrt(2.0 * 3 * 2)));
}

TEST_CASE("other questions are not paired: the ratio is that of the medians") {
  RunSeries now, before;
  now.questions = {0, 1, 2};
  now.wall_ms = {30, 10, 20};
  before.questions = {0, 1, 2};
  before.wall_ms = {5, 4, 3};
  CHECK(wall_ratio(now, before, false).ratio.value == Approx(5));
  before.questions = {7, 8, 9};
  const WallRatio wall = wall_ratio(now, before);
  CHECK_FALSE(wall.paired);
  CHECK(wall.ratio.value == Approx(5));
}

TEST_CASE("a mode that ran before and does not now fails; one that did not run before is inconclusive") {
  RunSeries broken;
  broken.failure = "no libtorch";
  const Gate lost = only_gate(broken, series(1));
  CHECK(lost.verdict == Verdict::fail);
  CHECK(lost.reason == "ran before, and now: no libtorch");
  RunSeries crashed = series(1);
  crashed.failure = "exit code 139";
  CHECK(only_gate(crashed, series(1)).verdict == Verdict::fail);
  CHECK(only_gate(series(1), broken).verdict == Verdict::inconclusive);
  RunSeries warm = series(1);
  warm.mode = LatencyMode::warm;
  CHECK(only_gate(series(1), warm).verdict == Verdict::inconclusive);
  CHECK(only_gate(series(1, 9), series(1, 9)).reason.find("a gate needs 10") != std::string::npos);
}

TEST_CASE("gates exit with 1 where one failed, and under strict where one is inconclusive") {
  std::vector<Gate> gates(2);
  gates[0].verdict = gates[1].verdict = Verdict::pass;
  CHECK(gates_exit_code(gates, true) == 0);
  gates[1].verdict = Verdict::inconclusive;
  CHECK(gates_exit_code(gates, false) == 0);
  CHECK(gates_exit_code(gates, true) == 1);
  gates[0].verdict = Verdict::fail;
  CHECK(gates_exit_code(gates, false) == 1);
}

TEST_CASE("the machine is judged by a mode against itself, from ten runs on") {
  const std::vector<LatencyRow> quiet = {row(Side::measured, 1, 10), row(Side::itself, 1.02, 10)};
  REQUIRE(judge_machine(quiet).has_value());
  CHECK_FALSE(judge_machine(quiet)->noisy());
  CHECK(judge_machine(quiet)->itself.ratio.value == Approx(1.02));
  CHECK(judge_machine(std::vector{row(Side::measured, 1, 10), row(Side::itself, 1.04, 10)})->noisy());
  CHECK(judge_machine(std::vector{row(Side::measured, 1, 10), row(Side::itself, 0.96, 10)})->noisy());
  CHECK_FALSE(judge_machine(std::vector{row(Side::measured, 1, 9), row(Side::itself, 1, 9)}).has_value());
  CHECK_FALSE(judge_machine(std::vector{row(Side::measured, 1, 40)}).has_value());
}

TEST_CASE("the noisier of two judgements speaks for both, and one that is missing for none") {
  CHECK(noisier(machine(1.01), machine(0.95))->itself.ratio.value == Approx(0.95));
  CHECK(noisier(machine(1.04), machine(1))->itself.ratio.value == Approx(1.04));
  CHECK_FALSE(noisier(machine(1), std::nullopt).has_value());
}

TEST_CASE("answers are compared only where the same questions were asked") {
  RunSeries now = series(1), before = series(1, 35);
  CHECK(same_answers(now, before) == true);  // seven of each question, or eight
  before.answers_sha256 = "other";
  CHECK(same_answers(now, before) == false);
  before.answers_sha256 = "";
  CHECK_FALSE(same_answers(now, before).has_value());
  CHECK_FALSE(same_answers(now, series(1, 4)).has_value());
}
