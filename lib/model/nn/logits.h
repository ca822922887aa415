// Arithmetic on rows of logits.
#pragma once

#include <cstddef>
#include <span>

namespace frugal {

/// KL(softmax(p) ‖ softmax(q)) in nats; both [vocabulary], finite.
double kl_divergence(std::span<const float> p, std::span<const float> q);
/// Index of the highest logit, the first of equals. Not for an empty row.
size_t argmax(std::span<const float> logits);

}  // namespace frugal
