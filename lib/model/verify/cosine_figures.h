// Figures of a comparison by the cosine between the vectors of two models.
#pragma once

#include <cstdint>
#include <span>

#include "model/verify/verify.h"

namespace frugal {

double cosine(std::span<const float> a, std::span<const float> b);

/// Collects the cosines of one sort of inputs.
class Cosines {
 public:
  void add(double cosine);
  int64_t count() const { return count_; }
  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }
  double lowest() const { return lowest_; }

 private:
  double sum_ = 0, lowest_ = 1;
  int64_t count_ = 0;
};

/// The floors of mean and lowest cosine at a level.
struct CosineFloors {
  double mean, lowest;
};
CosineFloors cosine_floors(VerifyLevel level);

}  // namespace frugal
