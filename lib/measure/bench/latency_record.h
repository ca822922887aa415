// The JSON report of an earlier bench-latency run, read back as a baseline, with the checks that two runs are
// comparable. Not the report itself: latency_report.h writes it.
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

/// Schema of the JSON report. Version 1 had neither questions nor raw samples by question.
constexpr int64_t kLatencySchema = 2;

struct LatencyRecord {
  std::vector<std::string> flags;  // rag-query's, without --index
  int64_t questions = 0;
  std::string questions_sha256;
  Environment environment;
  std::optional<MachineJudgement> machine;
  std::vector<RunSeries> series;  // this rag-query's, one per mode
};

std::string questions_sha256(const std::vector<std::string>& questions);

/// Throws Error(io), Error(corrupt_file) if the file is not JSON, and Error(bad_input) naming the field if
/// bench-latency did not write it or wrote it before kLatencySchema.
LatencyRecord read_latency_record(const std::filesystem::path& file);

/// True if both asked the same questions with the same flags of rag-query.
bool same_job(const LatencyRecord& a, const LatencyRecord& b);

struct Tolerance {
  bool other_machine = false;
  bool other_job = false;  // other models, questions or flags: good for a table, not for a gate
};
/// Throws Error(bad_input) naming the first field that differs: processor, ISA, processors, questions, flags;
/// Error(mismatch) for models. `now_name`, `before_name`: "this run", "old.json".
void check_comparable(const LatencyRecord& now, std::string_view now_name, const LatencyRecord& before,
                      std::string_view before_name, const Tolerance& tolerance);
/// Reads the report in `file` and checks that `now` can be gated against it. Throws as read_latency_record,
/// check_comparable and check_gate_runs.
Baseline read_baseline(const std::filesystem::path& file, const LatencyRecord& now, const Tolerance& tolerance);

/// Throws Error(bad_input) if a mode has fewer runs than a gate needs.
void check_gate_runs(const LatencyRecord& record, std::string_view name);

}  // namespace frugal
