// Chooses the next token from logits: greedily, or at random with temperature, top-k, top-p (Holtzman et al. 2019) and
// min-p. The same logits and seed give the same tokens on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/generate/generator.h"

namespace frugal {

class Sampler {
 public:
  /// Throws Error(usage) naming an option that is out of range.
  explicit Sampler(const GenerateOptions& options);

  /// Returns the id of the next token. logits: [vocab], not empty, changed in place by the repeat penalty. recent: the
  /// tokens generated so far.
  TokenId sample(std::span<float> logits, std::span<const TokenId> recent);

 private:
  double next_uniform();  // [0, 1)
  using Candidate = std::pair<float, TokenId>;
  void keep_top(std::span<const float> logits);

  GenerateOptions options_;
  uint64_t state_;
  std::vector<Candidate> candidates_;
};

}  // namespace frugal
