// From a picture to the numbers that a vision model reads, as transformers' image processors (their "pil" backend)
// compute them: resized, cropped, rescaled, normalised, and laid out as planes or as patches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "memory/budget.h"
#include "model/vision/processor_config.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// fp32 values of one image, row-major.
///
/// Planes: rows of a colour each, with height · width values; the grid is 1 × height × width in pixels.
///
/// Patches: rows of a patch each, with 3 · frames · patch · patch values (colour, frame, y, x); the grid is
/// 1 × height × width in patches. The merge × merge patches of a token follow each other, and tokens go by rows.
struct PixelValues {
  struct Grid {
    int64_t frames = 1, height = 0, width = 0;
    bool operator==(const Grid&) const = default;
  };
  Grid grid;
  int64_t rows = 0, cols = 0;
  Reservation memory;
  std::unique_ptr<float[]> data;

  std::span<const float> values() const { return {data.get(), static_cast<size_t>(rows * cols)}; }
};

/// The size to which an image of `size` is resized, before it is cropped: prompts need the number of patches before the
/// image is decoded. Throws Error(bad_input) if it is too long and narrow.
ImageSize resized_size(const ImageProcessorConfig& config, ImageSize size);

/// Throws as resized_size(), and Error(over_budget).
PixelValues process_image(const ImageProcessorConfig& config, const RgbImage& image, Budget& budget);

}  // namespace frugal
