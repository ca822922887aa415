#include "model/verify/token_figures.h"

#include "model/nn/logits.h"

namespace frugal {
namespace {

struct TokenBounds {
  double mean_kl = 0, agreement = 1;
};

TokenBounds bounds_of(VerifyLevel level) {
  switch (level) {
    case VerifyLevel::fp16:
      return {0.001, 0.98};
    case VerifyLevel::int8:
    case VerifyLevel::selected:
      return {0.02, 0.90};
    case VerifyLevel::int4:
      return {0.25, 0.70};
  }
  return {};
}

}  // namespace

bool TokenFigures::add(std::span<const float> full_precision, std::span<const float> pack) {
  const bool agrees = argmax(full_precision) == argmax(pack);
  kl_ += kl_divergence(full_precision, pack);
  agreed_ += agrees ? 1 : 0;
  ++count_;
  return agrees;
}

std::vector<QualityFigure> TokenFigures::figures(VerifyLevel level) const {
  using enum QualityFigure::Bound;
  const TokenBounds bounds = bounds_of(level);
  const double agreement = count_ > 0 ? static_cast<double>(agreed_) / static_cast<double>(count_) : 0;
  return {{"KL divergence", "mean_kl_nats", "mean_kl_ceiling_nats", at_most, mean_kl(), bounds.mean_kl},
          {"top-1 agreement", "top1_agreement", "top1_agreement_floor", at_least, agreement, bounds.agreement, true}};
}

}  // namespace frugal
