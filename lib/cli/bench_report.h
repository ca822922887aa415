// What bench-latency measured, as tables and as JSON (docs/tools/bench-latency.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/environment.h"
#include "eval/latency.h"
#include "eval/throughput.h"

namespace frugal::cli {

struct LatencyReport {
  std::vector<std::string> command;
  std::vector<LatencyRow> rows;
  Environment environment;
  std::optional<CpuShare::Percent> load;  // while it ran

  std::string text() const;
  std::string markdown() const;
  /// results in hyperfine's shape, seconds included ({command, mean, stddev, median, user, system, min, max, times,
  /// exit_codes}), and beside it mode, p95, p99, the interval of the median, stages in milliseconds, memory, a checksum
  /// of the answers.
  nlohmann::ordered_json json() const;

 private:
  /// Answers that differ, outliers, files that stayed in the cache: a line each.
  std::vector<std::string> remarks() const;
};

/// One row a test, like llama-bench's, with the machine's best on the same threads beside it.
struct ThroughputReport {
  std::vector<Throughput> rows;
  std::vector<MachinePeak> peaks;  // one a row
  Environment environment;
  std::optional<CpuShare::Percent> load;

  std::string text() const;
  nlohmann::ordered_json json() const;
};

}  // namespace frugal::cli
