#include "measure/profile/allocation_replay.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "base/units.h"

using namespace frugal;

namespace {

using Kind = AllocationEvent::Kind;

AllocationTrace trace_of(std::vector<AllocationEvent> events, uint32_t ids, uint64_t peak_live_bytes) {
  AllocationTrace trace;
  trace.events = std::move(events);
  trace.ids = ids;
  trace.peak_live_bytes = peak_live_bytes;
  return trace;
}

// Sixteen events, the last of which samples see: blocks of 1 MiB that all live.
AllocationTrace megabytes() {
  std::vector<AllocationEvent> events;
  for (uint32_t id = 0; id < 33; ++id) events.push_back({Kind::allocated, id, MemoryTag::activations, kMiB, 0});
  for (uint32_t id = 33; id-- > 0;) events.push_back({Kind::freed, id, MemoryTag::activations, 0, 0});
  return trace_of(std::move(events), 33, 33 * kMiB);
}

}  // namespace

TEST_CASE("every allocator takes at least what lives, and the pool gives it back") {
  const AllocationTrace trace = megabytes();
  for (const ReplayAllocator allocator : kReplayAllocators) {
    CAPTURE(to_string(allocator));
    const auto result = replay(trace, allocator);
    REQUIRE(result.has_value());
    CHECK(result->peak_bytes >= 33 * kMiB);
    CHECK(result->peak_bytes < 50 * kMiB);
    CHECK(result->fragmentation(33 * kMiB) < 0.34);
    CHECK(result->ns_per_operation > 0);
    if (allocator == ReplayAllocator::page_pool) CHECK(result->left_bytes < 4 * kMiB);
    if (allocator == ReplayAllocator::arena) CHECK(result->left_bytes >= 33 * kMiB);  // kept for the next pass
  }
}

TEST_CASE("an arena plays only what is a stack's") {
  const AllocationTrace queue = trace_of({{Kind::allocated, 0, MemoryTag::io, 10, 0},
                                          {Kind::allocated, 1, MemoryTag::io, 10, 0},
                                          {Kind::freed, 0, MemoryTag::io, 0, 0},
                                          {Kind::freed, 1, MemoryTag::io, 0, 0}},
                                         2, 20);
  const AllocationTrace growing =
      trace_of({{Kind::allocated, 0, MemoryTag::kv_cache, 0, 0}, {Kind::grown, 0, MemoryTag::kv_cache, 10, 0}}, 1, 10);
  for (const AllocationTrace& trace : {queue, growing}) {
    CHECK(!replay(trace, ReplayAllocator::arena));
    CHECK(replay(trace, ReplayAllocator::page_pool));
    CHECK(replay(trace, ReplayAllocator::malloc));
  }
}

TEST_CASE("a trace that the machine has no memory for is refused before it is played") {
  AllocationTrace huge = megabytes();
  huge.peak_live_bytes = uint64_t(1) << 45;
  CHECK_THROWS_AS(replay(huge, ReplayAllocator::malloc), Error);
}
