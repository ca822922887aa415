// Measures how long a question takes a user: whole processes, timed from outside, in modes that take turns so that a
// noisy moment of the machine affects all of them. Not a profiler of functions, and not a gate: gate.h judges the runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/statistics.h"
#include "measure/bench/cold_disk.h"
#include "measure/bench/rag_process.h"
#include "measure/bench/served_rag.h"

namespace frugal {

enum class LatencyMode {
  naive,      // a fresh process that loads full-precision models through libtorch (rag-query --naive)
  cold_disk,  // a fresh process, its files evicted from the page cache
  cold,       // a fresh process, page cache warm
  warm,       // a running process with its models loaded
  server,     // a fresh process that a running rag-serve answers
};
std::string_view to_string(LatencyMode mode);
/// Throws Error(usage) for unknown modes, with the nearest one.
LatencyMode parse_latency_mode(std::string_view name);

/// The program whose runs a row holds.
enum class Side {
  measured,
  itself,   // the first mode again: its difference from `measured` is the machine's noise (A/A)
  against,  // the other rag-query (A/B)
};
std::string_view to_string(Side side);

struct LatencyOptions {
  std::vector<std::string> command;  // rag-query with its flags, without question and format
  std::vector<std::string> against;  // another rag-query with its flags, asked in turns with it; empty: none
  std::vector<std::string> questions;
  std::vector<LatencyMode> modes;
  int64_t warmup_runs = 1;  // per row, not counted; the first loads files and shows whether the mode runs here
  bool measure_aa = true;   // also measures the first mode against itself
  uint64_t seed = 1;        // for the order within each round
  std::chrono::milliseconds timeout{600000};  // per answer
  std::vector<std::filesystem::path> data;    // packs and the index's folder: evicted for cold_disk
  /// Called after each run with the number of runs done and planned; may throw to stop.
  std::function<void(int64_t done, int64_t total)> progress;
};

/// The reason why a row has no (more) runs.
struct LatencyFailure {
  std::string message, hint;
  int64_t after_runs = 0;  // 0: the mode never ran here
};

struct LatencyRow {
  LatencyMode mode = LatencyMode::cold;
  Side side = Side::measured;
  std::vector<LatencySample> samples;
  std::optional<ColdProof> cold_proof;  // the worst run's
  std::optional<LatencyFailure> failure;
};

/// The largest anonymous peak of a row's samples; nullopt if no sample reports it.
std::optional<uint64_t> largest_peak_anon(const LatencyRow& row);
/// A hash over each question's answer, in the set's order: equal between rows that asked the same questions and got the
/// same answers. Empty if one question got two different answers.
std::string answers_sha256(const LatencyRow& row);

/// Statistics of a row's samples; needs at least one.
struct LatencySummary {
  Summary wall_ms;
  /// Means over the middle half of the runs by wall time. They add up to `stages_wall_ms`, which is near the median.
  std::map<std::string, double> stages_ms;
  double stages_wall_ms = 0;
  std::optional<uint64_t> peak_anon_bytes, pss_bytes;  // maxima over the samples
  std::string answers;                                 // answers_sha256(row)
};
LatencySummary summarize(const LatencyRow& row);

/// The texts of a file, one on each line that is not blank: plain text, or an object as rag-query --batch and BEIR have
/// it,
/// {"query": …} or {"text": …}. In a .jsonl every line must be an object. Throws Error(bad_input) naming the line if it
/// is not, and if there are no texts; Error(io).
std::vector<std::string> read_texts(const std::filesystem::path& file);

/// Measures in rounds: each round asks every row the same question, in an order shuffled by the seed. cold_disk has its
/// own rounds after the others, because a live process would keep the files mapped.
class LatencyBench {
 public:
  explicit LatencyBench(LatencyOptions options);

  /// Warms up, and adds `rounds` runs to every row that works. A row that fails keeps its samples, and the others
  /// continue. Throws Error(bad_input) with the first failure if no mode works at all.
  void run(int64_t rounds);

  /// One row per mode, the rows of the other rag-query, and the A/A row of the first mode that works.
  const std::vector<LatencyRow>& rows() const { return rows_; }
  int64_t rounds() const { return rounds_; }

 private:
  const std::vector<std::string>& command(size_t row) const;
  const std::string& question(int64_t round) const;
  LatencySample ask(size_t row, const std::string& question);
  LatencySample ask_cold_disk(size_t row, const std::string& question);
  void attempt(size_t row, const std::function<void()>& step);
  void warm_up(size_t row);
  void add_itself(bool cold_disk);
  std::vector<size_t> working_rows(bool cold_disk) const;
  void run_block(bool cold_disk, int64_t rounds);
  void add(size_t row, int64_t round);

  LatencyOptions options_;
  std::vector<LatencyRow> rows_;
  std::map<size_t, std::unique_ptr<RagProcess>> warm_;     // by row
  std::map<size_t, std::unique_ptr<ServedRag>> served_;    // by row
  std::map<size_t, std::unique_ptr<ColdDisk>> cold_disk_;  // by row
  Random order_;
  int64_t rounds_ = 0, done_ = 0, planned_ = 0;
};

}  // namespace frugal
