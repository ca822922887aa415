// Figures of a comparison by the next-token distributions of two models.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/verify/verify.h"

namespace frugal {

/// The mean KL(full ‖ pack) in nats, and how often both models have the same most probable token.
class TokenFigures {
 public:
  /// The logits of one token, [vocab] each. True if both have the same most probable token.
  bool add(std::span<const float> full_precision, std::span<const float> pack);
  int64_t count() const { return count_; }
  double mean_kl() const { return count_ > 0 ? kl_ / static_cast<double>(count_) : 0; }
  /// Both, with their bounds at a level, which were chosen as those of cosine_figures.cpp.
  std::vector<QualityFigure> figures(VerifyLevel level) const;

 private:
  double kl_ = 0;
  int64_t agreed_ = 0, count_ = 0;
};

}  // namespace frugal
