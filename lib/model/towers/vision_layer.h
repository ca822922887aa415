// A layer of the vision transformers of BLIP-2 and Qwen3-VL: pre-norm, with queries, keys and values in one projection.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "compute/ops/ops.h"
#include "model/nn/blocks.h"

namespace frugal {

struct VisionLayerConfig {
  int64_t hidden, heads, intermediate;
  double epsilon;
  std::string activation;
};

/// Where patches stand, for rotary positions.
struct PatchRotation {
  RopeSpec rope;
  std::span<const int32_t> positions;  // of each patch, a row of the table
};

/// x: [patches, hidden], updated in place.
class VisionLayer {
 public:
  /// Reads the tensors "image.INDEX.…".
  VisionLayer(const WeightLoader& load, const VisionLayerConfig& config, int64_t index);
  /// rotation: null: patches have no rotary positions.
  void forward(Ops& ops, View x, const PatchRotation* rotation = nullptr) const;

 private:
  void attend(Ops& ops, View x, const PatchRotation* rotation) const;

  NormSpec norm1_;
  Linear qkv_, out_;
  NormedMlp mlp_;
  AttentionSpec attention_;
};

}  // namespace frugal
