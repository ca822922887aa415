// The image encoder of BLIP-2, the ViT-g of EVA-CLIP (Fang et al. 2022).
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
#include "model/towers/vision_layer.h"
#include "model/vision/rgb_image.h"

namespace frugal {

struct Blip2VisionConfig {
  int64_t layers, hidden, heads, intermediate, size, patch;
  double epsilon;
  std::string activation;

  PatchConfig patches() const { return {hidden, size, patch}; }
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
  std::vector<VisionLayer> layers_;
  NormSpec norm_;
};

void list_blip2_vision(TensorTable& table, const Blip2VisionConfig& config);

}  // namespace frugal
