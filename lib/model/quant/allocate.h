// Chooses one storage option for each tensor, so that the total cost is minimal within a limit on the total loss, or
// the total loss minimal within a limit on the total cost. Works on numbers alone: it knows neither tensors nor types.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace frugal {

struct AllocationOption {
  double cost = 0;
  double loss = 0;
};

using AllocationOptions = std::vector<AllocationOption>;  // the options of one tensor; never empty

/// Returns the index of the chosen option for each tensor. The total loss is at most `max_loss` and the total cost
/// close to the minimum (allocate.cpp says how close). If no choice keeps the limit: the choice of minimal loss.
/// Deterministic; ties go to the earlier option.
std::vector<size_t> minimise_cost(std::span<const AllocationOptions> tensors, double max_loss);
/// The same with loss and cost exchanged: minimal total loss, total cost at most `max_cost`.
std::vector<size_t> minimise_loss(std::span<const AllocationOptions> tensors, double max_cost);

double total_cost(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen);
double total_loss(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen);

}  // namespace frugal
