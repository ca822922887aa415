// What a budget costs: one model writes the same tokens with all of its weights resident and with room for part of
// them, once for each page policy and way of reading them. Each run is in a process of its own.
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
  std::string text;         // which the model goes on with
  int64_t new_tokens = 32;  // the likeliest each; none of them ends the text
  int threads = 1;
  uint64_t budget_bytes = 0;
  std::vector<BlockSource> sources;  // mapped: with the pack in the page cache; direct: with none of it there
  std::vector<PagePolicyKind> policies;
  int rounds = 3;  // of each; the one in the middle counts
};

/// Blocks read for the order of use that a run recorded, in the room that it had (simulate_reads).
struct SimulatedReads {
  int64_t belady = 0, predictive = 0, lru = 0, clock = 0;
};

struct PagingRun {
  BlockSource asked_source = BlockSource::automatic;
  PagePolicyKind policy = PagePolicyKind::predictive;
  PagerStats pager;    // its source is the one that was used
  int64_t uses = 0;    // of blocks, in their order
  int64_t blocks = 0;  // of the pack's weights
  SimulatedReads simulated;
  double ms_per_token = 0;                      // median, without the first two tokens, from which the policy learns
  uint64_t peak_rss_bytes = 0;                  // the kernel's high-water mark: anonymous, of files, and shared
  std::optional<double> disk_bytes_per_second;  // measured before and after the run; nullopt: unknown
  bool same_tokens = false;                     // as without a limit
  bool same_logits = false;                     // to the bit

  /// Weights that there is no room for.
  uint64_t bytes_not_resident() const { return pager.total_bytes - std::min(pager.total_bytes, pager.capacity_bytes); }
  /// Of the blocks that the best choice would have read; 1 where it reads none.
  double reads_to_optimum() const;
  /// What a token takes at best: to read the bytes that cannot be resident, or to compute where that takes longer.
  std::optional<double> least_ms_per_token(double compute_ms) const;
};

struct PagingAblation {
  PagingPlan plan;
  uint64_t pack_bytes = 0;
  double compute_ms_per_token = 0;  // without a limit
  uint64_t unlimited_peak_rss_bytes = 0;
  std::vector<PagingRun> runs;

  /// What a process may hold: the budget and 2 % of it, and 16 MiB for its code and its own state.
  uint64_t rss_limit_bytes() const;
  bool holds(const PagingRun& run) const { return run.same_tokens && run.peak_rss_bytes <= rss_limit_bytes(); }
  bool passed() const;
};

/// Calls what it is given in a process of its own and returns the bytes that it returns (telemetry/child_process.h).
using RunAlone = std::function<std::string(const std::function<std::string()>&)>;

/// Throws what loading and running throw: Error(mismatch) for a model that writes no text, Error(over_budget) where the
/// budget is too small for it at all.
PagingAblation measure_paging(const PagingPlan& plan, const RunAlone& run_alone);

}  // namespace frugal
