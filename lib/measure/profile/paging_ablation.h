// Measures the cost of a memory budget: one model generates the same tokens with all weights resident, and with room
// for only part of them, once for each page policy and block source. Each run is a process of its own. The method is
// described in paging_ablation.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "memory/block_reader.h"
#include "memory/page_policy.h"
#include "memory/pager.h"

namespace frugal {

struct PagingPlan {
  std::filesystem::path pack;
  std::string text;         // the prompt to continue
  int64_t new_tokens = 32;  // greedy; an end-of-text token does not stop generation
  int threads = 1;
  uint64_t budget_bytes = 0;
  std::vector<BlockSource> sources;  // mapped: with the pack in the page cache; direct: with the pack evicted from it
  std::vector<PagePolicyKind> policies;
  int rounds = 3;  // per source and policy; the median round counts
};

/// Blocks that each policy would read for the recorded order of use, with the same capacity (simulate_reads).
struct SimulatedReads {
  int64_t belady = 0, predictive = 0, lru = 0, clock = 0;
};

struct PagingRun {
  PagePolicyKind policy = PagePolicyKind::predictive;
  PagerStats pager;    // pager.source is the source actually used
  int64_t uses = 0;    // block uses recorded
  int64_t blocks = 0;  // blocks of the pack's weights
  SimulatedReads simulated;
  double ms_per_token = 0;                      // median, without the first two tokens, in which the policy learns
  uint64_t peak_rss_bytes = 0;                  // the kernel's high-water mark: anonymous, file and shared pages
  std::optional<double> disk_bytes_per_second;  // measured before and after the run; nullopt: unknown
  bool same_tokens = false;                     // as the run without a limit
  bool same_logits = false;                     // bit for bit

  /// Weights beyond the capacity.
  uint64_t bytes_not_resident() const { return pager.total_bytes - std::min(pager.total_bytes, pager.capacity_bytes); }
  /// Blocks read ÷ blocks that the optimal policy (Belady) would have read; 1 if that is 0.
  double reads_to_optimum() const;
  /// The lower bound per token: reading the bytes that cannot be resident, or computing, whichever takes longer.
  std::optional<double> least_ms_per_token(double compute_ms) const;
};

struct PagingAblation {
  PagingPlan plan;
  uint64_t pack_bytes = 0;
  double compute_ms_per_token = 0;  // the run without a limit
  uint64_t unlimited_peak_rss_bytes = 0;
  std::vector<PagingRun> runs;

  /// The RSS limit of a run: the budget plus 2 %, plus 16 MiB for code and other state.
  uint64_t rss_limit_bytes() const;
  bool holds(const PagingRun& run) const { return run.same_tokens && run.peak_rss_bytes <= rss_limit_bytes(); }
  bool passed() const;
};

/// Runs a function in a child process and returns its result (telemetry/child_process.h).
using RunAlone = std::function<std::string(const std::function<std::string()>&)>;

/// Throws what loading and running throw: Error(mismatch) for a model that generates no text, Error(over_budget) if the
/// budget is too small for the model.
PagingAblation measure_paging(const PagingPlan& plan, const RunAlone& run_alone);

}  // namespace frugal
