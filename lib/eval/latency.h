// How long a question takes a user: whole processes, timed from outside, with the breakdown that rag-query reports.
// Not a profiler of functions, and no gate: it measures and says how sure it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/statistics.h"

namespace frugal {

enum class LatencyMode {
  cold_disk,  // a fresh process, and our files are not in the page cache
  cold,       // a fresh process, page cache warm
  warm,       // one process that has its models loaded
};
std::string_view to_string(LatencyMode mode);
/// Throws Error(usage) for unknown modes and for those that come later.
LatencyMode parse_latency_mode(std::string_view name);

struct LatencyOptions {
  std::vector<std::string> command;  // rag-query with its flags, without question and format
  std::vector<std::string> questions;
  std::vector<LatencyMode> modes;
  int64_t runs = 20;                        // of each mode; question i % questions.size()
  std::vector<std::filesystem::path> data;  // packs and the index's folder: dropped from the page cache for cold_disk
  /// Called after each run with how many are done; may throw to stop.
  std::function<void(int64_t done, int64_t total)> progress;
};

struct LatencySample {
  double wall_ms = 0;
  /// As rag-query reports them; "other" is what is left of the wall, process start and end included, so that they add
  /// up.
  std::map<std::string, double> stages_ms;
  std::optional<uint64_t> peak_anon_bytes;
  std::optional<uint64_t> pss_bytes;
  std::string answer;  // text and hits, to tell whether two modes answered alike
  int exit_code = 0;
};

/// What of the files a cold_disk run reads was still in the page cache when it began, at worst.
struct ColdProof {
  uint64_t dropped_bytes = 0;             // of files that were out of the cache to 99 % or more
  uint64_t still_cached_bytes = 0;        // resident bytes of the others: other processes map them, like the C library
  std::vector<std::string> still_cached;  // their names
};

struct LatencyRow {
  LatencyMode mode = LatencyMode::cold;
  std::vector<LatencySample> samples;
  Summary wall_ms;
  std::map<std::string, double> stage_medians_ms;
  std::optional<uint64_t> peak_anon_bytes;  // the largest of the samples
  std::optional<uint64_t> pss_bytes;
  std::string answers_sha256;  // equal between rows where every answer is
  std::optional<ColdProof> cold_proof;
};

/// The lines of a text file that are not blank, or the texts of a .jsonl in BEIR's form. Throws Error(bad_input) if
/// there are none, Error(io).
std::vector<std::string> read_texts(const std::filesystem::path& file);

/// Measures each mode `runs` times after one run that is not counted. cold and warm take turns; cold_disk comes first,
/// since a live process would keep its files mapped. Throws Error(bad_input) if rag-query fails or answers what is not
/// JSON.
std::vector<LatencyRow> measure_latency(const LatencyOptions& options);

/// One reply of rag-query --format json, and the wall that it took. Throws Error(bad_input).
LatencySample parse_reply(std::string_view json, double wall_ms);

}  // namespace frugal
