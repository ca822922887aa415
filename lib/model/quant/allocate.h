// One choice for each tensor, such that the whole is cheapest within a loss, or best within a cost. Knows numbers only.
//
// Losses of different tensors are taken to add up, which holds while they are small (errors of different layers are
// nearly uncorrelated). Then the best choices are those that minimise cost + λ · loss tensor by tensor for one λ
// (Shoham & Gersho 1988), found by bisection; what the gaps between the options leave over is spent greedily.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace frugal {

struct AllocationOption {
  double cost = 0;
  double loss = 0;
};

using AllocationOptions = std::vector<AllocationOption>;  // of one tensor; never empty

/// Index of the option chosen for each tensor: the least total cost whose total loss is within `max_loss`, or the least
/// total loss if none is. Deterministic; ties go to the earlier option.
std::vector<size_t> minimise_cost(std::span<const AllocationOptions> tensors, double max_loss);
/// The least total loss whose total cost is within `max_cost`, or the least total cost if none is.
std::vector<size_t> minimise_loss(std::span<const AllocationOptions> tensors, double max_cost);

double total_cost(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen);
double total_loss(std::span<const AllocationOptions> tensors, std::span<const size_t> chosen);

}  // namespace frugal
