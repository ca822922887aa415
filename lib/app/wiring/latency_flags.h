// The flags of bench-latency for questions (docs/tools/bench-latency.md), and the options of the benchmark that follow
// from them. measure/bench does the measuring.
#pragma once

#include <string>
#include <vector>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "measure/bench/gate.h"
#include "measure/bench/latency_record.h"
#include "measure/bench/latency_report.h"

namespace frugal::cli {

/// Files to export a report to; an empty path is not written.
struct LatencyExports {
  std::string json, markdown, junit, smaller_is_better;
  /// Throws Error(io).
  void write(const LatencyReport& report, bool strict) const;
};

struct LatencyFlags {
  std::vector<std::string> modes = {"cold", "warm"}, query_flags;
  std::string queries, question, rag_query, against, baseline;
  int64_t limit = 0;                         // 0: as many questions as runs
  int64_t warmup_runs = 1, timeout_s = 600;  // runs of each mode; seconds for an answer
  uint64_t seed = 1;
  GatePlan gate;
  bool max_ratio_given = false, strict = false;
  Tolerance tolerance;
  LatencyExports exports;

  /// Declares all flags. Tool::parse() writes into this object, which must not move until then.
  void declare(Tool& tool);
  /// Declares only the flags of the gate, for `bench-latency compare`.
  void declare_gate(CLI::App& app);

  bool gated() const { return !baseline.empty() || !against.empty(); }
  /// The options of the benchmark. Throws Error(usage) for flags that contradict each other, Error(missing) without an
  /// index, Error(bad_input) for a file without questions or an export to a folder that does not exist.
  LatencyOptions options(const Settings& settings) const;
  /// The arguments of rag-query besides --index.
  std::vector<std::string> rag_query_flags(const Settings& settings) const;

 private:
  void check() const;
};

}  // namespace frugal::cli
