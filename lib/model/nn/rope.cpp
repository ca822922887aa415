#include "model/nn/rope.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace frugal {
namespace {

// Llama 3.1's rule: long wavelengths are stretched by `factor`, short ones left, those between blended.
double scale_llama3(double frequency, const RopeScaling& s) {
  const double turns = s.original_positions * frequency / (2 * M_PI);  // full turns within the training length
  if (turns < s.low_freq_factor) return frequency / s.factor;
  if (turns > s.high_freq_factor) return frequency;
  const double smooth = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - smooth) * frequency / s.factor + smooth * frequency;
}

}  // namespace

RopeTable::RopeTable(int64_t rotary_dim, double theta, const RopeScaling& scaling, std::vector<float> divisors)
    : rotary_dim_(rotary_dim) {
  FRUGAL_CHECK(divisors.empty() || int64_t(divisors.size()) == rotary_dim / 2);
  for (int64_t i = 0; i < rotary_dim / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim));
    if (scaling.kind == "linear") frequency /= scaling.factor;
    if (scaling.kind == "llama3") frequency = scale_llama3(frequency, scaling);
    if (!divisors.empty()) frequency /= static_cast<double>(divisors[static_cast<size_t>(i)]);
    frequencies_.push_back(frequency);
  }
}

RopeSpec RopeTable::spec(int64_t positions) {
  const size_t half = frequencies_.size();
  const size_t known = half ? cosine_.size() / half : 0;
  // Grown by at least half, so that decoding token by token does not copy the table every time.
  const size_t wanted = static_cast<size_t>(positions) <= known
                            ? known
                            : std::max<size_t>(static_cast<size_t>(positions), known + known / 2);
  cosine_.reserve(wanted * half);
  sine_.reserve(wanted * half);
  for (size_t p = known; p < wanted; ++p)
    for (const double frequency : frequencies_) {
      const double angle = static_cast<double>(p) * frequency;
      cosine_.push_back(static_cast<float>(std::cos(angle)));
      sine_.push_back(static_cast<float>(std::sin(angle)));
    }
  return {cosine_, sine_, rotary_dim_, false};
}

}  // namespace frugal
