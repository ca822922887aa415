// Rate-distortion allocation with a Lagrange multiplier (Shoham & Gersho 1988).
//
// Losses of different tensors are taken to add up. That holds while they are small, because the errors of different
// layers are nearly uncorrelated. The choice that minimises Σ cost + λ · Σ loss then splits into one independent
// minimum for each tensor, and no choice of the same or a smaller total loss is cheaper. A larger λ gives less loss at
// more cost, so a bisection over log λ finds the cheapest such choice within the limit.
//
// Only choices on the lower convex hull of all (loss, cost) pairs can be found this way, so a gap to the limit remains.
// spend_slack() uses it greedily: it repeats the single change that saves most cost while the limit still holds. The
// result is close to the optimum but not always equal to it; allocate_test compares it with all combinations.
//
// Order. The most accurate choice is returned if even its loss exceeds the limit, and the cheapest one if its loss does
// not. Otherwise these two enclose the limit, and the bisection starts from the most accurate one, so the choice at
// hand keeps the limit at every step. Ties go to the earlier option, so the result is deterministic.
#include "model/quant/allocate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace frugal {
namespace {

// Enough to narrow log λ to the resolution of a double.
constexpr int kBisections = 64;
constexpr double kMaxExponent = 40;  // λ from e⁻⁴⁰ to e⁴⁰, in units of total cost over total loss

std::vector<AllocationOptions> exchanged(std::span<const AllocationOptions> tensors) {
  std::vector<AllocationOptions> result(tensors.begin(), tensors.end());
  for (AllocationOptions& options : result)
    for (AllocationOption& option : options) std::swap(option.cost, option.loss);
  return result;
}

template <typename Value>
std::vector<size_t> minimise_each(std::span<const AllocationOptions> tensors, Value&& value) {
  std::vector<size_t> chosen;
  for (const AllocationOptions& options : tensors) {
    FRUGAL_CHECK(!options.empty());
    const auto at = std::min_element(options.begin(), options.end(),
                                     [&](const auto& a, const auto& b) { return value(a) < value(b); });
    chosen.push_back(static_cast<size_t>(at - options.begin()));
  }
  return chosen;
}

// Repeats the change of one tensor's option that saves most cost within `max_loss`, until no change saves any.
void spend_slack(std::span<const AllocationOptions> tensors, double max_loss, std::vector<size_t>& chosen) {
  for (double loss = total_loss(tensors, chosen);;) {
    double best_saving = 0;
    size_t tensor = 0, option = 0;
    for (size_t t = 0; t < tensors.size(); ++t) {
      const AllocationOption& now = tensors[t][chosen[t]];
      for (size_t o = 0; o < tensors[t].size(); ++o) {
        const double saving = now.cost - tensors[t][o].cost;
        if (saving <= best_saving || loss - now.loss + tensors[t][o].loss > max_loss) continue;
        best_saving = saving;
        tensor = t;
        option = o;
      }
    }
    if (best_saving <= 0) return;
    loss += tensors[tensor][option].loss - tensors[tensor][chosen[tensor]].loss;
    chosen[tensor] = option;
  }
}

}  // namespace

double total_cost(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen) {
  double sum = 0;
  for (size_t t = 0; t < tensors.size(); ++t) sum += tensors[t][chosen[t]].cost;
  return sum;
}

double total_loss(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen) {
  double sum = 0;
  for (size_t t = 0; t < tensors.size(); ++t) sum += tensors[t][chosen[t]].loss;
  return sum;
}

std::vector<size_t> minimise_cost(std::span<const AllocationOptions> tensors, double max_loss) {
  std::vector<size_t> best = minimise_each(tensors, [](const auto& o) { return std::pair(o.loss, o.cost); });
  if (total_loss(tensors, best) > max_loss) return best;
  std::vector<size_t> cheapest = minimise_each(tensors, [](const auto& o) { return std::pair(o.cost, o.loss); });
  if (total_loss(tensors, cheapest) <= max_loss) return cheapest;

  const double unit = total_cost(tensors, best) / std::max(total_loss(tensors, cheapest), 1e-300);
  double low = -kMaxExponent, high = kMaxExponent;  // a larger λ gives less loss
  std::vector<size_t> chosen = best;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2, lambda = unit * std::exp(middle);
    std::vector<size_t> candidate = minimise_each(tensors, [&](const auto& o) { return o.cost + lambda * o.loss; });
    const bool within = total_loss(tensors, candidate) <= max_loss;
    (within ? high : low) = middle;
    if (within) chosen = std::move(candidate);
  }
  spend_slack(tensors, max_loss, chosen);
  return chosen;
}

std::vector<size_t> minimise_loss(std::span<const AllocationOptions> tensors, double max_cost) {
  return minimise_cost(exchanged(tensors), max_cost);
}

}  // namespace frugal
