// The image encoder of BLIP-2, the ViT-g of EVA-CLIP (Fang et al. 2022): a pre-norm vision transformer whose queries,
// keys and values are one projection.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/nn/tensor_table.h"
#include "model/towers/patch_embedding.h"
#include "model/vision/rgb_image.h"

namespace frugal {

struct Blip2VisionConfig {
  int64_t layers, hidden, heads, intermediate, size, patch;
  double epsilon;
  std::string activation;

  PatchConfig patches() const { return {hidden, size, patch}; }
};

/// Pre-norm block. x: [tokens, hidden], updated in place.
class Blip2VisionLayer {
 public:
  Blip2VisionLayer(const WeightLoader& load, const Blip2VisionConfig& config, int64_t index);
  void forward(Ops& ops, View x) const;

 private:
  void attend(Ops& ops, View x) const;

  NormSpec norm1_;
  Linear qkv_, out_;
  NormedMlp mlp_;
  AttentionSpec attention_;
};

class Blip2Vision {
 public:
  /// Borrows both.
  Blip2Vision(const ModelSource& source, Ops& ops, const Blip2VisionConfig& config);
  int64_t tokens() const { return patches_.tokens(); }
  int64_t hidden() const { return patches_.hidden; }
  /// x: [tokens, hidden].
  void encode(Ops& ops, const RgbImage& image, Budget& budget, View x) const;

 private:
  PatchConfig patches_;
  PatchEmbedding input_;
  std::vector<Blip2VisionLayer> layers_;
  NormSpec norm_;
};

void list_blip2_vision(TensorTable& table, const Blip2VisionConfig& config);

}  // namespace frugal
