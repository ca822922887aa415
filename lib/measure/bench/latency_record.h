// What bench-latency measured once, as its JSON report keeps it: read back as a baseline, and refused where it cannot
// be compared with another. Not the report itself: measure/bench/latency_report.h writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/bench/environment.h"
#include "measure/bench/gate.h"

namespace frugal {

/// Of the JSON report; 1 had neither questions nor raw samples by question.
constexpr int64_t kLatencySchema = 2;

struct LatencyRecord {
  std::vector<std::string> flags;  // of rag-query, without --index
  int64_t questions = 0;
  std::string questions_sha256;
  Environment environment;
  std::optional<MachineJudgement> machine;
  std::vector<RunSeries> series;  // of this rag-query, one a mode
};

std::string questions_sha256(const std::vector<std::string>& questions);

/// Throws Error(io), Error(corrupt_file) for what is no JSON, Error(bad_input) for what bench-latency did not write or
/// wrote before kLatencySchema, naming the field.
LatencyRecord read_latency_record(const std::filesystem::path& file);

/// The same questions under the same flags of rag-query.
bool same_job(const LatencyRecord& a, const LatencyRecord& b);

struct Tolerance {
  bool other_machine = false;
  bool other_job = false;  // other models, questions or flags: enough for a table, not for a gate
};
/// Throws Error(bad_input) naming the first field that differs: processor, ISA, processors, questions, flags;
/// Error(mismatch) for models. `now_name`, `before_name`: "this run", "old.json".
void check_comparable(const LatencyRecord& now, std::string_view now_name, const LatencyRecord& before,
                      std::string_view before_name, const Tolerance& tolerance);
/// The report in `file`, if `now` can be gated against it. Throws as read_latency_record, check_comparable and
/// check_gate_runs.
Baseline read_baseline(const std::filesystem::path& file, const LatencyRecord& now, const Tolerance& tolerance);

/// Throws Error(bad_input) if a mode has fewer runs than a gate needs.
void check_gate_runs(const LatencyRecord& record, std::string_view name);

}  // namespace frugal
