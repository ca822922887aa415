#include "rag/evidence/fuse.h"

#include <algorithm>
#include <unordered_map>

namespace frugal {
namespace {

std::vector<ScoredChunk> ranked(const std::unordered_map<int64_t, float>& sums) {
  std::vector<ScoredChunk> fused;
  fused.reserve(sums.size());
  for (const auto& [id, score] : sums) fused.push_back({id, score});
  std::sort(fused.begin(), fused.end(), [](const ScoredChunk& a, const ScoredChunk& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
  return fused;
}

}  // namespace

std::vector<ScoredChunk> fuse_weighted(std::span<const RankedList> lists) {
  std::unordered_map<int64_t, float> sums;
  for (const RankedList& list : lists) {
    if (list.hits.empty()) continue;
    const float top = list.hits.front().score;
    const float bottom = std::min(list.floor.value_or(list.hits.back().score), list.hits.back().score);
    const float range = top - bottom;
    for (const ScoredChunk& hit : list.hits)
      sums[hit.id] += list.weight * (range > 0 ? (hit.score - bottom) / range : 1.0f);
  }
  return ranked(sums);
}

std::vector<ScoredChunk> fuse_rrf(std::span<const RankedList> lists, float k) {
  std::unordered_map<int64_t, float> sums;
  for (const RankedList& list : lists)
    for (size_t i = 0; i < list.hits.size(); ++i)
      sums[list.hits[i].id] += list.weight / (k + static_cast<float>(i + 1));
  return ranked(sums);
}

}  // namespace frugal
