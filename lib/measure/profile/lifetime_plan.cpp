#include "measure/profile/lifetime_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/checked.h"
#include "memory/page_pool.h"

namespace frugal {
namespace {

uint64_t laid_out_bytes(const TensorLifetime& tensor) {
  return round_up(tensor.bytes, PagePool::kAlignment);
}

uint64_t peak_live_bytes(std::span<const TensorLifetime> tensors) {
  std::map<int64_t, int64_t> changes;  // by operation
  for (const TensorLifetime& tensor : tensors) {
    const auto bytes = static_cast<int64_t>(laid_out_bytes(tensor));
    changes[tensor.first] += bytes;
    changes[tensor.last + 1] -= bytes;
  }
  int64_t live = 0, peak = 0;
  for (const auto& [operation, change] : changes) peak = std::max(peak, live += change);
  return static_cast<uint64_t>(peak);
}

struct Placed {
  uint64_t begin, end;
};

// Offset of the smallest gap of at least `bytes` between `placed`, which are sorted by address and may overlap;
// otherwise the offset behind them.
uint64_t best_gap(std::span<const Placed> placed, uint64_t bytes) {
  uint64_t end = 0, best = 0, best_bytes = ~uint64_t(0);
  for (const Placed& other : placed) {
    if (other.begin >= end + bytes && other.begin - end < best_bytes) {
      best = end;
      best_bytes = other.begin - end;
    }
    end = std::max(end, other.end);
  }
  return best_bytes == ~uint64_t(0) ? end : best;
}

}  // namespace

LifetimePlan plan_lifetimes(std::span<const TensorLifetime> tensors) {
  LifetimePlan plan;
  plan.offsets.resize(tensors.size());
  plan.peak_live_bytes = peak_live_bytes(tensors);
  std::vector<size_t> by_size(tensors.size());
  std::iota(by_size.begin(), by_size.end(), size_t(0));
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return tensors[a].bytes > tensors[b].bytes; });
  for (size_t done = 0; done < by_size.size(); ++done) {
    const TensorLifetime& tensor = tensors[by_size[done]];
    std::vector<Placed> beside;
    for (const size_t other : std::span(by_size).first(done))
      if (tensors[other].first <= tensor.last && tensor.first <= tensors[other].last)
        beside.push_back({plan.offsets[other], plan.offsets[other] + laid_out_bytes(tensors[other])});
    std::sort(beside.begin(), beside.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
    const uint64_t bytes = laid_out_bytes(tensor);
    const uint64_t offset = plan.offsets[by_size[done]] = best_gap(beside, bytes);
    plan.planned_bytes = std::max(plan.planned_bytes, offset + bytes);
  }
  return plan;
}

}  // namespace frugal
