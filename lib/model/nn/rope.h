// Tables of the rotary positions' angles, grown as far as a model has looked, and how a model's configuration names
// them: keys "PREFIX.rope.…" of a pack.
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

/// From a checkpoint's configuration to a pack's. Throws Error(bad_input) for a scaling that is not known, or a figure
/// out of bounds.
void plan_rope(const Checkpoint& checkpoint, const ConfigReader& reader, std::string_view prefix,
               std::map<std::string, std::string>& config);
/// From a pack's; divisors are its tensor "rope.divisors", if there is one.
RopeTable read_rope(const ModelSource& source, std::string_view prefix, int64_t rotary_dim);

}  // namespace frugal
