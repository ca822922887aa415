// Where the intermediate tensors of a forward pass could lie, and the least memory that any layout takes: what the
// arena's own layout, by scopes, is measured against (mem-profile --estimate, tests/measure/profile).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

/// A tensor that is written by operation `first` and read for the last time by operation `last`.
struct TensorLifetime {
  uint64_t bytes = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct LifetimePlan {
  std::vector<uint64_t> offsets;  // of each tensor; two that live at once do not overlap
  uint64_t planned_bytes = 0;     // that the offsets take
  uint64_t most_live_bytes = 0;   // that live at once at most: no layout takes less
};

/// Greedy by size (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference"): the largest
/// first, each into the smallest gap that holds it for as long as it lives. Sizes are rounded up to 64 bytes, as the
/// arena's are. Takes time in the square of the number of tensors.
LifetimePlan plan_lifetimes(std::span<const TensorLifetime> tensors);

}  // namespace frugal
