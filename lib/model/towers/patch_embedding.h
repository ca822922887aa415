// The input of a vision transformer (Dosovitskiy et al. 2021) for images of one size: a class token and the patches,
// with learned positions. The convolution over patches has their size as its stride: it is a linear layer over unfolded
// patches, and the processor of model/vision lays an image out so.
#pragma once

#include <cstdint>
#include <string>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/vision/processor_config.h"
#include "model/vision/rgb_image.h"

namespace frugal {

struct PatchConfig {
  int64_t hidden = 0, size = 0, patch = 0;  // size: of the square image, in pixels

  int64_t patches() const { return (size / patch) * (size / patch); }
  int64_t patch_values() const { return kRgbChannels * patch * patch; }
  int64_t tokens() const { return patches() + 1; }  // the first is that of the class
};

/// True if all images are squares of this side after the processor.
bool gives_squares(const ImageProcessorConfig& processor, int64_t side);

class PatchEmbedding {
 public:
  /// Its tensors are image.patches, image.class and image.positions. Throws what ModelConfig::fail throws if the
  /// source's processor does not give images of the size.
  PatchEmbedding(const ModelSource& source, const WeightLoader& load, Ops& ops, const PatchConfig& config);
  /// x: [tokens, hidden].
  void embed(Ops& ops, const RgbImage& image, Budget& budget, View x) const;

 private:
  PatchConfig config_;
  Linear patches_;
  EmbeddingTable class_, positions_;
  ImageProcessorConfig processor_;
};

}  // namespace frugal
