// Cosines and sines for rotary positions (Su et al. 2021), extended on demand, and their configuration: keys
// "PREFIX.rope.…" of a pack.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/nn/config_reader.h"
#include "model/nn/model_source.h"

namespace frugal {

/// How a model scales its frequencies for contexts beyond its training length.
struct RopeScaling {
  std::string kind = "none";  // none, linear, llama3, yarn
  double factor = 1;
  double original_positions = 8192;                  // llama3, yarn
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn: full turns within the training length
  double attention_factor = 0;                       // yarn: of cosines and sines; 0: 0.1 · ln(factor) + 1
};

class RopeTable {
 public:
  /// `divisors` [rotary_dim / 2] divide the frequencies (GGUF's rope_freqs); empty means none.
  RopeTable(int64_t rotary_dim, double theta, const RopeScaling& scaling, std::vector<float> divisors);

  /// Tables for at least the positions [0, positions). Valid until the next call.
  RopeSpec spec(int64_t positions);

 private:
  int64_t rotary_dim_;
  std::vector<double> frequencies_;  // [rotary_dim / 2]
  double magnitude_ = 1;             // of cosines and sines
  std::vector<float> cosine_, sine_;
};

/// Adds the keys for a checkpoint to `config`. prefix: the architecture's name. Throws Error(bad_input) for an unknown
/// scaling or a parameter out of bounds.
void plan_rope(const Checkpoint& checkpoint, const ConfigReader& reader, std::string_view prefix,
               std::map<std::string, std::string>& config);
/// Builds the table from a pack's keys, and from its tensor "rope.divisors" if it has one.
RopeTable read_rope(const ModelSource& source, std::string_view prefix, int64_t rotary_dim);

}  // namespace frugal
