// Fuses ranked lists into one. It knows ids and scores only, not which search they come from. A weighted sum of
// normalised scores is the default, because reciprocal ranks ignore by how much a hit is better (docs/design/0008).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "rag/index/store.h"

namespace frugal {

struct RankedList {
  std::span<const ScoredChunk> hits;  // best first
  float weight = 1;
  /// The score of chunks that are not in the list, if it is known: a list of word matches that is shorter than its
  /// limit contains every match, so other chunks score 0. nullopt: the score of the last hit is taken.
  std::optional<float> floor;
};

/// Σ weight · (score − min) / (max − min) over the lists, where min is the floor or the last score. A list adds nothing
/// to chunks that it lacks, and its whole weight to each chunk if all its scores are equal. Best first, ties by id.
std::vector<ScoredChunk> fuse_weighted(std::span<const RankedList> lists);

/// Reciprocal rank fusion (Cormack et al. 2009): Σ weight / (k + rank), with ranks from 1. Best first, ties by id.
std::vector<ScoredChunk> fuse_rrf(std::span<const RankedList> lists, float k = 60);

}  // namespace frugal
