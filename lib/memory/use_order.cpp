#include "memory/use_order.h"

#include <limits>

#include "base/error.h"

namespace frugal {

void UseOrder::touch(int32_t model) {
  FRUGAL_CHECK(model >= 0);
  if (const auto predicted = next()) {
    ++predictions_;
    right_ += *predicted == model;
  }
  if (uses_.size() <= static_cast<size_t>(model)) uses_.resize(static_cast<size_t>(model) + 1);
  if (latest_ >= 0) uses_[static_cast<size_t>(latest_)].follower = model;
  Uses& uses = uses_[static_cast<size_t>(model)];
  ++now_;
  if (uses.last >= 0) uses.interval = now_ - uses.last;
  uses.last = now_;
  latest_ = model;
}

// In touches from now. An overdue use moves later with each touch that is not it; a model used once may never be again.
int64_t UseOrder::next_use(const Uses& uses) const {
  if (uses.interval < 0) return std::numeric_limits<int64_t>::max();
  const int64_t since = now_ - uses.last;
  return since < uses.interval ? uses.interval - since : since;
}

std::optional<int32_t> UseOrder::victim(const std::function<bool(int32_t)>& can_evict) const {
  std::optional<int32_t> best;
  for (int32_t model = 0; model < static_cast<int32_t>(uses_.size()); ++model) {
    if (!can_evict(model)) continue;
    if (!best) {
      best = model;
      continue;
    }
    const Uses &a = uses_[static_cast<size_t>(model)], &b = uses_[static_cast<size_t>(*best)];
    const int64_t ahead = eviction_ == Eviction::lru ? 0 : next_use(a);
    const int64_t best_ahead = eviction_ == Eviction::lru ? 0 : next_use(b);
    if (ahead > best_ahead || (ahead == best_ahead && a.last < b.last)) best = model;
  }
  return best;
}

std::optional<int32_t> UseOrder::next() const {
  if (latest_ < 0 || uses_[static_cast<size_t>(latest_)].follower < 0) return std::nullopt;
  return uses_[static_cast<size_t>(latest_)].follower;
}

}  // namespace frugal
