// How a model wants its images prepared, as the preprocessor_config.json of its checkpoint says: CLIP, BLIP and BLIP-2
// (a plane for each colour), Qwen2-VL, Qwen2.5-VL and Qwen3-VL (flattened patches).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/vision/resample.h"

namespace frugal {

struct ImageSize {
  int64_t width = 0, height = 0;
  bool operator==(const ImageSize&) const = default;
};

struct ImageProcessorConfig {
  enum class Sizing {
    as_is,
    exact,          // to `size`
    shortest_edge,  // the shorter side to `shortest_edge`, in proportion
    pixel_range,    // both sides to multiples of patch · merge, with min_pixels to max_pixels in all
  };
  enum class Layout { planes, patches };

  Layout layout = Layout::planes;
  Sizing sizing = Sizing::exact;
  ImageSize size;
  int64_t shortest_edge = 0;
  int64_t min_pixels = 0, max_pixels = 0;
  ResampleFilter filter = ResampleFilter::bicubic;
  std::optional<ImageSize> crop;  // the middle, after resizing
  // value = (sample · rescale − mean) / deviation
  double rescale = 1.0 / 255;
  std::array<double, 3> mean{}, deviation{1, 1, 1};
  // Of patches: the side in pixels, how many on a side are merged into a token, and for how many frames of a video one
  // stands; of an image all of these frames are equal.
  int64_t patch = 0, merge = 1, frames = 1;
};

/// `json`: a preprocessor_config.json, or a processor_config.json that has it as "image_processor"; `file` names it in
/// errors. Absent keys have the defaults of transformers, unknown keys are ignored. Throws Error(bad_input) naming the
/// key for an unknown processor, and for a value that is of a wrong type, out of bounds or not supported.
ImageProcessorConfig read_image_processor(std::string_view json, std::string_view file);

}  // namespace frugal
