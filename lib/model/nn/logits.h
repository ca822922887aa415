// What rows of logits say: the likeliest token, how far one row is from another.
#pragma once

#include <cstddef>
#include <span>

namespace frugal {

/// KL(softmax(p) ‖ softmax(q)) in nats; both [vocabulary], finite.
double kl_divergence(std::span<const float> p, std::span<const float> q);
/// The place of the highest, the first of several; not of none.
size_t argmax(std::span<const float> logits);

}  // namespace frugal
