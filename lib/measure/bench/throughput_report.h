// The report of bench-latency on throughput: texts and tokens per second, one row per test like llama-bench's, with the
// machine's peak on the same threads (docs/tools/bench-latency.md names every field).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "measure/bench/environment.h"
#include "measure/bench/throughput.h"
#include "measure/report/table.h"

namespace frugal {

struct ThroughputReport {
  /// Adds tests that ran on the same threads, and the peak of the machine there, raised to what they reached: no test
  /// has more than 100 % of it.
  void add(std::vector<Throughput> tests, MachinePeak peak);

  std::vector<Throughput> rows;
  std::vector<MachinePeak> peaks;  // one per row
  Environment environment;
  std::optional<CpuShare::Percent> load;

  /// `format`: text, json, md or csv.
  std::string as(std::string_view format) const;
  nlohmann::ordered_json json() const;

 private:
  Table table() const;
};

}  // namespace frugal
