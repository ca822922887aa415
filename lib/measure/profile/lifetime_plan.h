// Plans where the intermediate tensors of a forward pass could be placed, and computes the lower bound of any layout.
// The arena's layout, by scopes, is compared with both (mem-profile --estimate, tests/measure/profile).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace frugal {

/// A tensor written by operation `first` and last read by operation `last`.
struct TensorLifetime {
  uint64_t bytes = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct LifetimePlan {
  std::vector<uint64_t> offsets;  // one per tensor; tensors that are live at once do not overlap
  uint64_t planned_bytes = 0;     // memory that the offsets need
  uint64_t peak_live_bytes = 0;   // maximum live at once: no layout needs less
};

/// Greedy by size (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference"): the largest
/// tensor first, each into the smallest gap that is free for its lifetime. Sizes are rounded up to 64 bytes, like the
/// arena's. Quadratic in the number of tensors.
LifetimePlan plan_lifetimes(std::span<const TensorLifetime> tensors);

}  // namespace frugal
