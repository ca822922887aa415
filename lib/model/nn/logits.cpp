#include "model/nn/logits.h"

#include <algorithm>
#include <cmath>

namespace frugal {
namespace {

// log Σ exp(x), without overflow.
double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double(logit) - largest);
  return largest + std::log(sum);
}

}  // namespace

double kl_divergence(std::span<const float> p, std::span<const float> q) {
  const double p_norm = log_sum_exp(p), q_norm = log_sum_exp(q);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = double(p[i]) - p_norm;
    sum += std::exp(log_p) * (log_p - (double(q[i]) - q_norm));
  }
  return sum;
}

size_t argmax(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace frugal
