// Replays a recorded run's allocations (memory/allocation_trace.h) against several allocators and measures, for each,
// peak memory, fragmentation and time per operation. Every page is written, as the recorded run would.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "memory/allocation_trace.h"

namespace frugal {

/// malloc; PagePool with GrowingArrays; Arena (LIFO frees only).
enum class ReplayAllocator { malloc, page_pool, arena };
constexpr ReplayAllocator kReplayAllocators[] = {ReplayAllocator::malloc, ReplayAllocator::page_pool,
                                                 ReplayAllocator::arena};
std::string_view to_string(ReplayAllocator allocator);

struct ReplayResult {
  ReplayAllocator allocator = ReplayAllocator::malloc;
  uint64_t peak_bytes = 0;  // anonymous memory, beyond what the process had before
  uint64_t left_bytes = 0;  // the same after everything was freed
  double ns_per_operation = 0;
  /// Share of the peak beyond the bytes that the program had allocated.
  double fragmentation(uint64_t peak_live_bytes) const;
};

/// nullopt for an arena if the trace's frees are not LIFO (several threads recorded it). Throws Error(over_budget) if
/// the trace needs more memory than there is.
std::optional<ReplayResult> replay(const AllocationTrace& trace, ReplayAllocator allocator);

}  // namespace frugal
