// What bench-latency measured of questions, as tables, as JSON and as files for other programs
// (docs/tools/bench-latency.md names every field).
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

/// The gates as a table, with the reason of each below it.
Table gate_table(const std::vector<Gate>& gates);
std::string gate_reasons(const std::vector<Gate>& gates);
nlohmann::ordered_json gates_json(const std::vector<Gate>& gates);
/// "1.012 (0.998–1.026)".
std::string ratio_text(const Ratio& ratio);
/// A line: the first mode against itself, and what follows from it.
std::string machine_text(const std::optional<MachineJudgement>& machine);

/// A row that ran, with what its samples say.
struct LatencyResult {
  const LatencyRow* row;
  LatencySummary summary;
  std::string name() const;  // "cold", "cold, against"
};

struct LatencyReport {
  LatencyReport(const LatencyOptions& options, std::vector<std::string> flags, Environment environment);
  /// What was measured; judges the machine by it.
  void take(std::vector<LatencyRow> measured);

  std::vector<std::string> command, against;  // rag-query with its flags
  LatencyRecord record;                       // flags, questions, environment, machine
  std::vector<LatencyRow> rows;
  std::optional<CpuShare::Percent> load;  // while it ran
  int64_t warmup_runs = 0;
  uint64_t seed = 0;
  std::vector<Gate> gates;

  /// `format`: text, json, md or csv (the table of modes alone).
  std::string as(std::string_view format) const;
  /// results in hyperfine's shape, seconds included ({command, mean, stddev, median, user, system, min, max, times,
  /// exit_codes}), and beside it mode, questions, p95, p99, intervals, stages in milliseconds, memory, a checksum.
  nlohmann::ordered_json json() const;
  /// A test case a gate, or a mode where there is none. Under `strict` what is inconclusive or did not run has failed.
  std::string junit(bool strict) const;
  /// [{name, unit, value, range, extra}], as github-action-benchmark reads it: customSmallerIsBetter.
  nlohmann::ordered_json smaller_is_better() const;

  /// 1 if a gate failed or a mode stopped after it had worked; under `strict` also if a gate is inconclusive or a mode
  /// did not run.
  int exit_code(bool strict) const;

 private:
  /// Of the rows that ran; the A/A runs have their line in machine_text and their samples in the JSON.
  std::vector<LatencyResult> results() const;
  std::vector<std::string> remarks() const;
};

/// Two reports, side by side.
struct LatencyComparison {
  /// limits null: no gate. Throws as read_latency_record, check_comparable and, for a gate, check_gate_runs.
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
