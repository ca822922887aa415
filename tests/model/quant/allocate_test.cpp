#include "model/quant/allocate.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>

namespace frugal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Visits every combination of options.
template <typename Visit>
void for_each_choice(std::span<const AllocationOptions> tensors, Visit&& visit) {
  std::vector<size_t> chosen(tensors.size(), 0);
  for (;;) {
    visit(chosen);
    size_t t = 0;
    while (t < tensors.size() && ++chosen[t] == tensors[t].size()) chosen[t++] = 0;
    if (t == tensors.size()) return;
  }
}

std::vector<AllocationOptions> random_problem(unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> size(1, 100), loss(0.001, 1);
  std::vector<AllocationOptions> tensors(6);
  for (AllocationOptions& options : tensors) {
    const double scale = size(random), weight = loss(random);
    options = {{5 * scale, weight}, {8 * scale, weight / 60}, {16 * scale, weight / 5000}};
  }
  return tensors;
}

TEST_CASE("a choice keeps its limit and costs little more than the cheapest of all combinations") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto tensors = random_problem(seed);
    INFO("seed ", seed);
    const double limit = 0.3;
    double best = kInfinity;
    for_each_choice(tensors, [&](const auto& chosen) {
      if (total_loss(tensors, chosen) <= limit) best = std::min(best, total_cost(tensors, chosen));
    });
    const auto chosen = minimise_cost(tensors, limit);
    CHECK(total_loss(tensors, chosen) <= limit);
    CHECK(total_cost(tensors, chosen) <= 1.1 * best);
  }
}

TEST_CASE("the choice of minimal loss keeps the limit on its cost") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto tensors = random_problem(seed);
    const auto coarsest = minimise_cost(tensors, kInfinity);
    const double limit = 1.5 * total_cost(tensors, coarsest);
    const auto chosen = minimise_loss(tensors, limit);
    CHECK(total_cost(tensors, chosen) <= limit);
    CHECK(total_loss(tensors, chosen) < total_loss(tensors, coarsest));
  }
}

TEST_CASE("without a limit the cheapest options are chosen, and with a limit that cannot be kept the most accurate") {
  const auto tensors = random_problem(1);
  CHECK(minimise_cost(tensors, kInfinity) == std::vector<size_t>(6, 0));
  CHECK(minimise_cost(tensors, 0) == std::vector<size_t>(6, 2));
}

TEST_CASE("of two options with equal loss the cheaper is chosen, and of two with equal cost the more accurate") {
  const std::vector<AllocationOptions> tensors{{{10, 0}, {5, 0}, {5, 1}}};
  CHECK(minimise_cost(tensors, 0) == std::vector<size_t>{1});
  CHECK(minimise_cost(tensors, kInfinity) == std::vector<size_t>{1});
}

}  // namespace
}  // namespace frugal
