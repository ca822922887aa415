// Tables of the rotary positions' angles, grown as far as a model has looked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compute/ops/ops.h"

namespace frugal {

/// How a model stretches its positions beyond its training length.
struct RopeScaling {
  std::string kind = "none";  // none, linear, llama3
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double original_positions = 8192;                  // llama3
};

class RopeTable {
 public:
  /// `divisors` [rotary_dim / 2] divide the frequencies (GGUF's rope_freqs); empty means none.
  RopeTable(int64_t rotary_dim, double theta, const RopeScaling& scaling, std::vector<float> divisors);

  /// Valid for positions [0, positions) until the next call.
  RopeSpec spec(int64_t positions);

 private:
  int64_t rotary_dim_;
  std::vector<double> frequencies_;  // [rotary_dim / 2]
  std::vector<float> cosine_, sine_;
};

}  // namespace frugal
