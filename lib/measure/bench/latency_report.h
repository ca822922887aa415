// The report of bench-latency on questions: tables, JSON, and files for other programs (docs/tools/bench-latency.md
// names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/bench/latency.h"
#include "measure/bench/latency_record.h"
#include "measure/report/table.h"

namespace frugal {

/// The gates as a table; gate_reasons() gives a line for each.
Table gate_table(const std::vector<Gate>& gates);
std::string gate_reasons(const std::vector<Gate>& gates);
nlohmann::ordered_json gates_json(const std::vector<Gate>& gates);
/// "1.012 (0.998–1.026)".
std::string ratio_text(const Ratio& ratio);
/// One line: the A/A ratio of the first mode, and the conclusion.
std::string machine_text(const std::optional<MachineJudgement>& machine);

/// A row that ran, and its statistics.
struct LatencyResult {
  const LatencyRow* row;
  LatencySummary summary;
  std::string name() const;  // "cold", "cold, against"
};

struct LatencyReport {
  LatencyReport(const LatencyOptions& options, std::vector<std::string> flags, Environment environment);
  /// Takes the measured rows and the load while they ran, and judges the machine by them.
  void take(std::vector<LatencyRow> measured, std::optional<CpuShare::Percent> load_meanwhile);

  std::vector<std::string> command, against;  // rag-query with its flags
  LatencyRecord record;                       // flags, questions, environment, machine
  std::vector<LatencyRow> rows;
  std::optional<CpuShare::Percent> load;  // during the run
  int64_t warmup_runs = 0;
  uint64_t seed = 0;
  std::vector<Gate> gates;

  /// `format`: text, json, md or csv (the table of modes alone).
  std::string as(std::string_view format) const;
  /// results in hyperfine's format, seconds included ({command, mean, stddev, median, user, system, min, max, times,
  /// exit_codes}), plus mode, questions, p95, p99, intervals, stages in milliseconds, memory, a checksum.
  nlohmann::ordered_json json() const;
  /// JUnit XML: one test case per gate, or per mode if there are no gates. With `strict`, an inconclusive gate and a
  /// mode that did not run fail.
  std::string junit(bool strict) const;
  /// [{name, unit, value, range, extra}], as github-action-benchmark reads it: customSmallerIsBetter.
  nlohmann::ordered_json smaller_is_better() const;

  /// 1 if a gate failed, or a mode stopped after it had worked; with `strict` also if a gate is inconclusive or a mode
  /// did not run.
  int exit_code(bool strict) const;

 private:
  /// The rows that ran, without the A/A row: machine_text() has its line, the JSON its samples.
  std::vector<LatencyResult> results() const;
  std::vector<std::string> remarks() const;
};

/// Two reports, side by side.
struct LatencyComparison {
  /// limits: null for no gate. Throws as read_latency_record, check_comparable and, for a gate, check_gate_runs.
  static LatencyComparison read(const std::string& before, const std::string& now, const GateLimits* limits,
                                const Tolerance& tolerance);

  std::string before_name, now_name;
  LatencyRecord before, now;
  std::vector<Gate> gates;  // empty: not gated

  /// `format`: text, json, md or csv.
  std::string as(std::string_view format) const;
  nlohmann::ordered_json json() const;

 private:
  Table table() const;
  std::vector<std::string> remarks() const;
};

}  // namespace frugal
