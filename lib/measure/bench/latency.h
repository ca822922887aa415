// How long a question takes a user: whole processes, timed from outside, in modes that take turns so that a noisy
// moment of the machine meets them all. Not a profiler of functions, and no gate: gate.h judges what is measured here.
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

namespace frugal {

enum class LatencyMode {
  naive,      // a fresh process that loads everything in full precision through libtorch (rag-query --naive)
  cold_disk,  // a fresh process, and our files are not in the page cache
  cold,       // a fresh process, page cache warm
  warm,       // one process that has its models loaded
};
std::string_view to_string(LatencyMode mode);
/// Throws Error(usage) for unknown modes, with the nearest one.
LatencyMode parse_latency_mode(std::string_view name);

/// Whose runs a row holds.
enum class Side {
  measured,
  itself,   // the first mode once more: what differs from `measured` is the machine's noise (A/A)
  against,  // the other rag-query (A/B)
};
std::string_view to_string(Side side);

struct LatencyOptions {
  std::vector<std::string> command;  // rag-query with its flags, without question and format
  std::vector<std::string> against;  // another rag-query with its flags, asked in turn with it; empty: none
  std::vector<std::string> questions;
  std::vector<LatencyMode> modes;
  int64_t warmup_runs = 1;     // of each row, not counted; the first loads files and says whether the mode runs here
  bool measure_itself = true;  // A/A
  uint64_t seed = 1;           // of the order within each round
  std::chrono::milliseconds timeout{600000};  // of one answer
  std::vector<std::filesystem::path> data;    // packs and the index's folder: out of the page cache for cold_disk
  /// Called after each run with how many are done of those planned; may throw to stop.
  std::function<void(int64_t done, int64_t total)> progress;
};

/// Why a row has no (more) runs.
struct LatencyFailure {
  std::string message, hint;
  int64_t after_runs = 0;  // 0: the mode never ran here
};

struct LatencyRow {
  LatencyMode mode = LatencyMode::cold;
  Side side = Side::measured;
  std::vector<LatencySample> samples;
  std::optional<ColdProof> cold_proof;  // of the worst run
  std::optional<LatencyFailure> failure;
};

/// The largest of a row's samples; nullopt if none says.
std::optional<uint64_t> largest_peak_anon(const LatencyRow& row);
/// Of each question's answer, in the set's order: equal between rows that asked the same questions and got the same
/// answers. Empty where one question got two answers.
std::string answers_sha256(const LatencyRow& row);

/// What a row's samples say; needs at least one.
struct LatencySummary {
  Summary wall_ms;
  /// Means over the middle half of the runs by wall, so that they add up to `stages_wall_ms`, near the median.
  std::map<std::string, double> stages_ms;
  double stages_wall_ms = 0;
  std::optional<uint64_t> peak_anon_bytes, pss_bytes;  // the largest of the samples
  std::string answers;                                 // answers_sha256(row)
};
LatencySummary summarize(const LatencyRow& row);

/// The lines of a text file that are not blank, or the texts of a .jsonl in BEIR's form. Throws Error(bad_input) if
/// there are none, Error(io).
std::vector<std::string> read_texts(const std::filesystem::path& file);

/// Measures in rounds: each round asks every row the same question, in an order shuffled by the seed. cold_disk has
/// rounds of its own after the others', since a live process would keep its files mapped.
class LatencyBench {
 public:
  explicit LatencyBench(LatencyOptions options);

  /// Warms up and adds `rounds` runs to every row that works. A row that fails keeps what it has, and the others go on.
  /// Throws Error(bad_input) with the first failure if no mode works at all.
  void run(int64_t rounds);

  /// One row for each mode, those of the other rag-query, and that of the first mode that works against itself.
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
  std::map<size_t, std::unique_ptr<ColdDisk>> cold_disk_;  // by row
  Random order_;
  int64_t rounds_ = 0, done_ = 0, planned_ = 0;
};

}  // namespace frugal
