#include "model/towers/patch_embedding.h"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "model/nn/image_config.h"
#include "model/vision/image_processor.h"

namespace frugal {

bool gives_squares(const ImageProcessorConfig& processor, int64_t side) {
  const ImageSize square{side, side};
  if (processor.crop) return *processor.crop == square;
  return processor.sizing == ImageProcessorConfig::Sizing::exact && processor.size == square;
}

PatchEmbedding::PatchEmbedding(const ModelSource& source, const WeightLoader& load, Ops& ops, const PatchConfig& c)
    : config_(c),
      patches_(load.linear("image.patches", c.hidden, c.patch_values(), ActivationScales::per_token)),
      class_(source.embedding("image.class", 1, c.hidden, ops)),
      positions_(source.embedding("image.positions", c.tokens(), c.hidden, ops)),
      processor_(image_processor_of(source.config())) {
  if (!gives_squares(processor_, c.size))
    source.config().fail(fmt::format("image.processor does not give images of {0} × {0} pixels", c.size));
  processor_.layout = ImageProcessorConfig::Layout::patches;
  processor_.patch = c.patch;
  processor_.merge = processor_.frames = 1;
}

void PatchEmbedding::embed(Ops& ops, const RgbImage& image, Budget& budget, View x) const {
  {
    const Ops::Scope scope(ops);
    const View patches = ops.allocate(Shape{config_.patches(), config_.patch_values()});
    {
      const PixelValues pixels = process_image(processor_, image, budget);
      FRUGAL_CHECK(pixels.rows == patches.rows() && pixels.cols == patches.cols());
      ops.upload(pixels.values(), patches);
    }
    patches_.forward(ops, patches, x.slice_rows(1, patches.rows()));
  }
  frugal::embed(ops, class_, std::array{0}, x.slice_rows(0, 1), false);
  std::vector<int32_t> positions(static_cast<size_t>(x.rows()));
  std::iota(positions.begin(), positions.end(), 0);
  frugal::embed(ops, positions_, positions, x, true);
}

}  // namespace frugal
