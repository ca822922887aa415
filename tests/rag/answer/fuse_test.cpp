#include "rag/evidence/fuse.h"

#include <doctest/doctest.h>

#include <vector>

using frugal::RankedList;
using frugal::ScoredChunk;

namespace {

std::vector<int64_t> ids(const std::vector<ScoredChunk>& hits) {
  std::vector<int64_t> out;
  for (const ScoredChunk& hit : hits) out.push_back(hit.id);
  return out;
}

}  // namespace

TEST_CASE("weighted fusion sums the min-max-normalised scores of each list") {
  const std::vector<ScoredChunk> dense{{1, 0.9f}, {2, 0.7f}, {3, 0.5f}};
  const std::vector<ScoredChunk> sparse{{3, 20}, {2, 15}, {4, 10}};
  const RankedList lists[] = {{dense, 0.4f, {}}, {sparse, 0.6f, {}}};
  const auto fused = frugal::fuse_weighted(lists);
  // By hand: 1: .4·1; 2: .4·.5 + .6·.5; 3: .4·0 + .6·1; 4: .6·0.
  CHECK(ids(fused) == std::vector<int64_t>{3, 2, 1, 4});
  CHECK(fused[0].score == doctest::Approx(0.6));
  CHECK(fused[1].score == doctest::Approx(0.5));
  CHECK(fused[2].score == doctest::Approx(0.4));
  CHECK(fused[3].score == doctest::Approx(0.0));
}

TEST_CASE("a known floor ranks the last hit of a short list above chunks that are not in the list") {
  const std::vector<ScoredChunk> sparse{{7, 12}, {5, 6}};
  const std::vector<ScoredChunk> dense{{9, 0.8f}, {5, 0.2f}};
  const RankedList lists[] = {{sparse, 0.6f, 0.0f}, {dense, 0.4f, {}}};
  const auto fused = frugal::fuse_weighted(lists);
  CHECK(ids(fused) == std::vector<int64_t>{7, 9, 5});
  CHECK(fused[2].score == doctest::Approx(0.3));
}

TEST_CASE("equal scores and single hits get the whole weight of their list") {
  const std::vector<ScoredChunk> one{{4, 3}};
  const std::vector<ScoredChunk> equal{{8, 2}, {6, 2}};
  const RankedList lists[] = {{one, 0.5f, {}}, {equal, 0.5f, {}}};
  const auto fused = frugal::fuse_weighted(lists);
  CHECK(ids(fused) == std::vector<int64_t>{4, 6, 8});
  for (const ScoredChunk& hit : fused) CHECK(hit.score == doctest::Approx(0.5));
}

TEST_CASE("reciprocal ranks count from one and break ties by id") {
  const std::vector<ScoredChunk> a{{2, 9}, {1, 8}};
  const std::vector<ScoredChunk> b{{1, 0.3f}, {2, 0.2f}, {3, 0.1f}};
  const RankedList lists[] = {{a, 1, {}}, {b, 1, {}}};
  const auto fused = frugal::fuse_rrf(lists);
  CHECK(ids(fused) == std::vector<int64_t>{1, 2, 3});
  CHECK(fused[0].score == fused[1].score);
  CHECK(fused[0].score == doctest::Approx(1.0 / 61 + 1.0 / 62));
  CHECK(fused[2].score == doctest::Approx(1.0 / 63));
}

TEST_CASE("a list's weight scales its reciprocal ranks") {
  const std::vector<ScoredChunk> a{{1, 9}};
  const std::vector<ScoredChunk> b{{2, 9}};
  const RankedList lists[] = {{a, 0.25f, {}}, {b, 0.75f, {}}};
  CHECK(ids(frugal::fuse_rrf(lists)) == std::vector<int64_t>{2, 1});
}

TEST_CASE("no lists, or only empty ones, give an empty result") {
  const RankedList empty[] = {{{}, 0.4f, {}}, {{}, 0.6f, 0.0f}};
  CHECK(frugal::fuse_weighted({}).empty());
  CHECK(frugal::fuse_weighted(empty).empty());
  CHECK(frugal::fuse_rrf(empty).empty());
}
