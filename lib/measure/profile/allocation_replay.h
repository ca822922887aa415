// A recorded run's allocations (memory/allocation_trace.h) played again against allocators: how much memory each really
// takes for them, how much of that is loss, and how long it needs. Every page is written as it would be.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "memory/allocation_trace.h"

namespace frugal {

/// The C library's; PagePool and GrowingArrays; Arena, which needs that what was asked for last goes first.
enum class ReplayAllocator { malloc, page_pool, arena };
constexpr ReplayAllocator kReplayAllocators[] = {ReplayAllocator::malloc, ReplayAllocator::page_pool,
                                                 ReplayAllocator::arena};
std::string_view to_string(ReplayAllocator allocator);

struct ReplayResult {
  ReplayAllocator allocator = ReplayAllocator::malloc;
  uint64_t peak_bytes = 0;  // anonymous memory, beyond what the process had before
  uint64_t left_bytes = 0;  // the same when everything was given back
  double ns_per_operation = 0;
  /// Share of the peak that nobody had asked for.
  double fragmentation(uint64_t most_live_bytes) const;
};

/// nullopt for an arena whose trace is not a stack's (several threads recorded it). Throws Error(over_budget) where the
/// trace needs more memory than there is.
std::optional<ReplayResult> replay(const AllocationTrace& trace, ReplayAllocator allocator);

}  // namespace frugal
