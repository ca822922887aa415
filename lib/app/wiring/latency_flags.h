// The flags of bench-latency for questions, and what they ask for.
#pragma once

#include <string>
#include <vector>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "measure/bench/gate.h"
#include "measure/bench/latency_record.h"
#include "measure/bench/latency_report.h"

namespace frugal::cli {

/// Files to write, each whole or not at all; empty: not asked for.
struct LatencyExports {
  std::string json, markdown, junit, smaller_is_better;
  /// Throws Error(bad_input) if a folder is not there.
  void check() const;
  void write(const LatencyReport& report, bool strict) const;
};

struct LatencyFlags {
  std::vector<std::string> modes = {"cold", "warm"}, query_flags;
  std::string queries, question, rag_query, against, baseline;
  int64_t limit = 0;  // 0: as many questions as runs
  int64_t warmup_runs = 1, timeout_s = 600;
  uint64_t seed = 1;
  GatePlan gate;
  bool max_ratio_given = false, strict = false;
  Tolerance tolerance;
  LatencyExports exports;

  /// Borrow `this` until the tool is parsed.
  void declare(Tool& tool);
  void declare_gate(CLI::App& app);

  bool gated() const { return !baseline.empty() || !against.empty(); }
  /// Throws Error(usage) for flags that contradict each other, Error(missing) without index, Error(bad_input).
  LatencyOptions options(const Settings& settings) const;
  /// What rag-query is given beside --index.
  std::vector<std::string> rag_query_flags(const Settings& settings) const;

 private:
  void check() const;
};

}  // namespace frugal::cli
