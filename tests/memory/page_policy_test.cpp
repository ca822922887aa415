#include "memory/page_policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/error.h"

using namespace frugal;

namespace {

// `passes` times the blocks in `order`: how a decoder reads its weights.
std::vector<int32_t> cyclic(std::vector<int32_t> order, int passes) {
  std::vector<int32_t> trace;
  for (int i = 0; i < passes; ++i) trace.insert(trace.end(), order.begin(), order.end());
  return trace;
}

std::vector<int32_t> iota(int32_t count) {
  std::vector<int32_t> all(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) all[static_cast<size_t>(i)] = i;
  return all;
}

// What a policy that tries every choice would read: exact, and so slow that it only serves traces of a few steps.
int64_t fewest_reads(std::span<const int32_t> trace, std::vector<int32_t> resident, int32_t capacity) {
  if (trace.empty()) return 0;
  const int32_t block = trace[0];
  if (std::find(resident.begin(), resident.end(), block) != resident.end())
    return fewest_reads(trace.subspan(1), resident, capacity);
  if (static_cast<int32_t>(resident.size()) < capacity) {
    resident.push_back(block);
    return 1 + fewest_reads(trace.subspan(1), resident, capacity);
  }
  int64_t best = INT64_MAX;
  for (size_t i = 0; i < resident.size(); ++i) {
    std::vector<int32_t> other = resident;
    other[i] = block;
    best = std::min(best, fewest_reads(trace.subspan(1), other, capacity));
  }
  return 1 + best;
}

}  // namespace

TEST_CASE("Belady's count is the least that any choice of victims reaches") {
  const std::vector<std::vector<int32_t>> traces = {
      {0, 1, 2, 3, 0, 1, 2, 3, 0, 1}, {0, 1, 2, 0, 3, 0, 4, 2, 3, 0}, {4, 4, 3, 2, 1, 0, 4, 3, 2, 1}, {0, 0, 0, 0}};
  for (const auto& trace : traces)
    for (const int32_t capacity : {1, 2, 3})
      CHECK(simulate_reads({}, trace, 5, capacity) == fewest_reads(trace, {}, capacity));
}

TEST_CASE("on a cycle that does not fit, LRU and CLOCK read everything each time, the predictive policy what must be") {
  const std::vector<int32_t> trace = cyclic(iota(100), 20);
  const int64_t best = simulate_reads({}, trace, 100, 60);
  CHECK(simulate_reads(PagePolicyKind::lru, trace, 100, 60) == 2000);
  CHECK(simulate_reads(PagePolicyKind::clock, trace, 100, 60) == 2000);
  const int64_t predictive = simulate_reads(PagePolicyKind::predictive, trace, 100, 60);
  CHECK(predictive >= best);
  CHECK(predictive <= best * 115 / 100);
}

TEST_CASE("the predictive policy learns an order that is not the file's") {
  std::vector<int32_t> order;
  for (int32_t i = 0; i < 100; ++i) order.push_back(i * 37 % 100);
  const std::vector<int32_t> trace = cyclic(order, 20);
  CHECK(simulate_reads(PagePolicyKind::predictive, trace, 100, 60) <= simulate_reads({}, trace, 100, 60) * 12 / 10);
}

TEST_CASE("threads that are not in step make no new order: what is kept stays") {
  std::vector<int32_t> trace;
  for (int pass = 0; pass < 20; ++pass) {
    std::vector<int32_t> order = iota(100);
    for (size_t i = static_cast<size_t>(pass % 3); i + 2 < order.size(); i += 3) std::swap(order[i], order[i + 2]);
    trace.insert(trace.end(), order.begin(), order.end());
  }
  CHECK(simulate_reads(PagePolicyKind::predictive, trace, 100, 60) <= simulate_reads({}, trace, 100, 60) * 12 / 10);
}

TEST_CASE("a block that two threads use by turns with its neighbour ends no pass") {
  std::vector<int32_t> order;
  for (int32_t i = 0; i < 99; ++i) order.insert(order.end(), {i, i + 1, i, i + 1});
  const std::vector<int32_t> trace = cyclic(order, 20);
  CHECK(simulate_reads(PagePolicyKind::predictive, trace, 100, 60) <= simulate_reads({}, trace, 100, 60) * 12 / 10);
}

TEST_CASE("nothing is read twice where all fits") {
  const std::vector<int32_t> trace = cyclic(iota(10), 5);
  for (const auto kind : {PagePolicyKind::predictive, PagePolicyKind::lru, PagePolicyKind::clock})
    CHECK(simulate_reads(kind, trace, 10, 10) == 10);
  CHECK(simulate_reads({}, trace, 10, 10) == 10);
}

TEST_CASE("LRU keeps what is used again and again, which a cycle never shows") {
  std::vector<int32_t> trace;
  for (int32_t i = 0; i < 300; ++i) trace.insert(trace.end(), {0, 1, 2 + i % 50});
  CHECK(simulate_reads(PagePolicyKind::lru, trace, 52, 10) == 302);
}

TEST_CASE("what is to be read ahead replaces nothing that is needed sooner") {
  const auto policy = make_page_policy(PagePolicyKind::predictive, 40, 8);
  policy->set_capacity(16);
  for (const int32_t b : {3, 9, 13}) policy->enter(b);
  policy->touch(10);
  const auto only = [](int32_t block) { return [block](int32_t b) { return b == block; }; };
  CHECK(policy->victim(only(13), 14) == -1);
  CHECK(policy->victim(only(9), 14) == -1);  // was used a moment ago, and may be still
  CHECK(policy->victim(only(3), 14) == 3);
  CHECK(policy->victim(only(13)) == 13);
}

TEST_CASE("a policy goes by its name, and an unknown one is told the names") {
  for (const auto kind : {PagePolicyKind::predictive, PagePolicyKind::lru, PagePolicyKind::clock})
    CHECK(find_named<PagePolicyKind>(to_string(kind)) == kind);
  CHECK_FALSE(find_named<PagePolicyKind>("fifo"));
}
