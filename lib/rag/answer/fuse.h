// Several ranked lists made into one. Pure: it knows ids and scores, not where they came from.
// Min-max-normalised sums beat reciprocal ranks on most collections (docs/design/0008), so they are the default.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "rag/index/store.h"

namespace frugal {

struct RankedList {
  std::span<const ScoredChunk> hits;  // best first
  float weight = 1;
  /// Score of what the list does not hold, where that is known: a list of word matches that is shorter than its limit
  /// holds every match, and the rest score 0. Unknown: the last hit stands for it.
  std::optional<float> floor;
};

/// Σ weight · (score − min) / (max − min) over the lists, min being the floor or the last score; a chunk that a list
/// lacks gets 0 from it, and where all scores of a list are equal each gets 1. Best first, ties by id.
std::vector<ScoredChunk> fuse_weighted(std::span<const RankedList> lists);

/// Σ weight / (k + rank), rank from 1 (Cormack et al. 2009). Best first, ties by id.
std::vector<ScoredChunk> fuse_rrf(std::span<const RankedList> lists, float k = 60);

}  // namespace frugal
