#include "model/quant/allocate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace frugal {
namespace {

// Halvings of the exponent's interval: far below the steps between the options.
constexpr int kBisections = 64;
constexpr double kMaxExponent = 40;  // λ from e⁻⁴⁰ to e⁴⁰, in units of total cost per total loss

// The same problem with the roles of cost and loss exchanged.
std::vector<AllocationOptions> exchanged(std::span<const AllocationOptions> tensors) {
  std::vector<AllocationOptions> result(tensors.begin(), tensors.end());
  for (AllocationOptions& options : result)
    for (AllocationOption& option : options) std::swap(option.cost, option.loss);
  return result;
}

template <typename Value>
std::vector<size_t> least_by(std::span<const AllocationOptions> tensors, Value&& value) {
  std::vector<size_t> chosen;
  for (const AllocationOptions& options : tensors) {
    FRUGAL_CHECK(!options.empty());
    const auto at = std::min_element(options.begin(), options.end(),
                                     [&](const auto& a, const auto& b) { return value(a) < value(b); });
    chosen.push_back(static_cast<size_t>(at - options.begin()));
  }
  return chosen;
}

// The tensor whose cheaper option saves most while the whole stays within `max_loss` moves to it, until none can.
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
  const std::vector<size_t> best = least_by(tensors, [](const auto& o) { return std::pair(o.loss, o.cost); });
  if (total_loss(tensors, best) > max_loss) return best;
  const std::vector<size_t> cheapest = least_by(tensors, [](const auto& o) { return std::pair(o.cost, o.loss); });
  if (total_loss(tensors, cheapest) <= max_loss) return cheapest;

  const double unit = total_cost(tensors, best) / std::max(total_loss(tensors, cheapest), 1e-300);
  double low = -kMaxExponent, high = kMaxExponent;  // a higher λ loses less
  std::vector<size_t> chosen = best;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2, lambda = unit * std::exp(middle);
    std::vector<size_t> candidate = least_by(tensors, [&](const auto& o) { return o.cost + lambda * o.loss; });
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
