// Cosines and sines for rotary positions (Su et al. 2021), extended on demand, and their configuration: keys
// "PREFIX.rope.…" of a pack. Rows of images have positions along several axes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/ops/ops.h"
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

/// The position of a row along each axis: time, height, width.
using AxialPosition = std::array<int32_t, 3>;

/// A pair of dimensions, which the position along one axis turns.
struct AxialPair {
  double frequency = 0;
  int axis = 0;
};

/// Cosines and sines of single rows: row i of the table is that of the i-th position.
struct RopeRows {
  std::vector<float> cosine, sine;
  int64_t rotary_dim = 0;

  RopeSpec spec() const { return {cosine, sine, rotary_dim, false}; }
};
RopeRows make_rope_rows(std::span<const AxialPair> pairs, std::span<const AxialPosition> positions,
                        double magnitude = 1);

/// How many of the rotary pairs turn with each axis in interleaved M-RoPE (Bai et al. 2025): pairs go to time, height
/// and width in turn, and to time when an axis has all of its pairs.
struct RopeSections {
  int64_t time = 0, height = 0, width = 0;
};

class RopeTable {
 public:
  /// `divisors` [rotary_dim / 2] divide the frequencies (GGUF's rope_freqs); empty means none.
  RopeTable(int64_t rotary_dim, double theta, const RopeScaling& scaling, std::vector<float> divisors);

  /// Tables for at least the positions [0, positions). Valid until the next call.
  RopeSpec spec(int64_t positions);
  /// A table for rows with positions of their own. A position that is equal along all axes turns as in spec().
  RopeRows rows(std::span<const AxialPosition> positions, const RopeSections& sections) const;

 private:
  int64_t rotary_dim_;
  std::vector<double> frequencies_;  // [rotary_dim / 2]
  double magnitude_ = 1;             // of cosines and sines
  std::vector<float> cosine_, sine_;
};

/// Where a checkpoint's configuration has the rotary positions, if its layers of several kinds have their own.
struct RopeKeys {
  ConfigKey theta{"rope_theta", "rope.freq_base"};
  double default_theta = 10000;
  std::string_view kind = {};  // of the layers, as rope_parameters names it: "full_attention"
  bool has_scaling = true;     // "rope_scaling" is theirs
};

/// Adds the keys for a checkpoint to `config`. prefix: the architecture's name. Throws Error(bad_input) for an unknown
/// scaling or a parameter out of bounds.
void plan_rope(const ConfigReader& reader, std::string_view prefix, std::map<std::string, std::string>& config,
               const RopeKeys& source = {});
/// Builds the table from a pack's keys, and from its tensor "rope.divisors" if it has one.
RopeTable read_rope(const ModelSource& source, std::string_view prefix, int64_t rotary_dim);

}  // namespace frugal
