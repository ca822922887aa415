#include "memory/use_order.h"

#include <limits>

#include "base/error.h"

namespace frugal {

void UseOrder::touch(int32_t thing) {
  FRUGAL_CHECK(thing >= 0);
  if (const auto predicted = next()) {
    ++predictions_;
    right_ += *predicted == thing;
  }
  if (uses_.size() <= static_cast<size_t>(thing)) uses_.resize(static_cast<size_t>(thing) + 1);
  if (latest_ >= 0) uses_[static_cast<size_t>(latest_)].follower = thing;
  Uses& uses = uses_[static_cast<size_t>(thing)];
  ++now_;
  if (uses.last >= 0) uses.interval = now_ - uses.last;
  uses.last = now_;
  latest_ = thing;
}

// In touches from now. What is overdue gets later with each touch that does not come; what was used once may never be.
int64_t UseOrder::next_use(const Uses& uses) const {
  if (uses.interval < 0) return std::numeric_limits<int64_t>::max();
  const int64_t since = now_ - uses.last;
  return since < uses.interval ? uses.interval - since : since;
}

std::optional<int32_t> UseOrder::victim(const std::function<bool(int32_t)>& may) const {
  std::optional<int32_t> best;
  for (int32_t thing = 0; thing < static_cast<int32_t>(uses_.size()); ++thing) {
    if (!may(thing)) continue;
    if (!best) {
      best = thing;
      continue;
    }
    const Uses &a = uses_[static_cast<size_t>(thing)], &b = uses_[static_cast<size_t>(*best)];
    const int64_t ahead = eviction_ == Eviction::lru ? 0 : next_use(a);
    const int64_t best_ahead = eviction_ == Eviction::lru ? 0 : next_use(b);
    if (ahead > best_ahead || (ahead == best_ahead && a.last < b.last)) best = thing;
  }
  return best;
}

std::optional<int32_t> UseOrder::next() const {
  if (latest_ < 0 || uses_[static_cast<size_t>(latest_)].follower < 0) return std::nullopt;
  return uses_[static_cast<size_t>(latest_)].follower;
}

}  // namespace frugal
