// The image encoder of Qwen3-VL (Bai et al. 2025): a pre-norm vision transformer for images of any size. Patches have
// learned positions, interpolated to the image's grid, and rotary ones. Blocks of merge × merge patches become a row
// each: after the last layer, and for DeepStack (Meng et al. 2024) after a few layers before it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"
#include "model/nn/tensor_table.h"
#include "model/towers/vision_layer.h"
#include "model/vision/processor_config.h"
#include "model/vision/rgb_image.h"

namespace frugal {

struct Qwen3VisionConfig {
  int64_t layers, hidden, heads, intermediate, output;
  int64_t patch, merge, frames;
  int64_t side;  // of the square grid of learned positions
  double theta;  // of rotary positions
  std::string activation;

  int64_t head_dim() const { return hidden / heads; }
  int64_t merged() const { return hidden * merge * merge; }
  int64_t patch_values() const { return kRgbChannels * frames * patch * patch; }
};

/// True if the processor lays images out in the patches of the model.
bool gives_patches(const ImageProcessorConfig& processor, const Qwen3VisionConfig& config);

/// Makes a row of each block of patches, which follow each other.
class PatchMerger {
 public:
  PatchMerger() = default;
  /// norms_blocks: the norm is that of a whole block, not of each patch.
  PatchMerger(const WeightLoader& load, const Qwen3VisionConfig& config, const std::string& at, bool norms_blocks);
  /// x: [patches, hidden]; out: [blocks, output].
  void forward(Ops& ops, View x, View out) const;

 private:
  int64_t merged_ = 0;  // values of a block
  bool norms_blocks_ = false;
  NormSpec norm_;
  Linear up_, down_;
};

/// What is seen of an image, by rows of its grid: [height · width, output] each.
struct SeenImage {
  View rows;
  std::vector<View> deep;  // from the layers of DeepStack
  ImageSize grid;
};

class Qwen3Vision {
 public:
  /// Borrows both. Throws what ModelConfig::fail throws if the source's processor does not fit the model.
  Qwen3Vision(const ModelSource& source, Ops& ops, const Qwen3VisionConfig& config);
  /// Layers with a row for each block, besides the last.
  int64_t deep_layers() const { return deep_layers_; }
  /// As VisionLanguage::limit_pixels().
  void limit_pixels(int64_t max_pixels);
  /// The grid of rows of an image of this size. Throws Error(bad_input) if it is too long and narrow.
  ImageSize grid(ImageSize size) const;
  /// Allocates in the caller's scope. Throws as grid(), and Error(over_budget).
  SeenImage encode(Ops& ops, const RgbImage& image, Budget& budget) const;

 private:
  void embed_patches(Ops& ops, const RgbImage& image, Budget& budget, View x) const;
  void place_patches(Ops& ops, std::span<const AxialPosition> places, ImageSize patches, View x) const;

  Qwen3VisionConfig config_;
  ImageProcessorConfig processor_;
  Linear patches_;
  EmbeddingTable positions_;
  std::vector<AxialPair> pairs_;
  std::vector<VisionLayer> layers_;
  std::vector<std::optional<PatchMerger>> deep_mergers_;  // behind each layer, in those of DeepStack
  PatchMerger merger_;
  int64_t deep_layers_ = 0;
};

/// deep: the layers with a merger, ascending.
void list_qwen3_vision(TensorTable& table, const Qwen3VisionConfig& config, std::span<const int64_t> deep);

}  // namespace frugal
