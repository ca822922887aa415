// The next token from logits: greedy, or temperature with top-k, top-p and min-p. Deterministic for a seed, on every
// machine.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/generate/generator.h"

namespace frugal {

class Sampler {
 public:
  explicit Sampler(const GenerateOptions& options);

  /// Id of the next token. logits: [vocab], changed in place by the repeat penalty. `recent`: tokens so far (penalty
  /// window).
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
