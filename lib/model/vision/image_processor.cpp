#include "model/vision/image_processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace frugal {
namespace {

using Layout = ImageProcessorConfig::Layout;
using Sizing = ImageProcessorConfig::Sizing;

constexpr int64_t kMaxAspect = 200;                        // of Qwen2-VL's processor
constexpr int64_t kMaxResizedPixels = int64_t{100} << 20;  // of a resized image

Error too_narrow(ImageSize size, std::string_view limit) {
  return Error(Code::bad_input, fmt::format("image: {} × {} pixels: {}", size.width, size.height, limit))
      .hint("crop the image");
}

ImageSize with_shortest_edge(ImageSize size, int64_t edge) {
  const ImageSize found = size.width <= size.height ? ImageSize{edge, edge * size.height / size.width}
                                                    : ImageSize{edge * size.width / size.height, edge};
  if (found.width * found.height > kMaxResizedPixels)
    throw too_narrow(size, fmt::format("too long and narrow for a shortest edge of {}", edge));
  return found;
}

// Rounds half to even, as Python does, and computes in double precision in Python's order.
ImageSize within_pixel_range(ImageSize size, const ImageProcessorConfig& config) {
  if (std::max(size.width, size.height) > kMaxAspect * std::min(size.width, size.height))
    throw too_narrow(size, fmt::format("one side is more than {} times the other", kMaxAspect));
  const auto factor = double(config.patch * config.merge);
  const auto width = double(size.width), height = double(size.height);
  double new_width = std::nearbyint(width / factor) * factor, new_height = std::nearbyint(height / factor) * factor;
  if (new_height * new_width > double(config.max_pixels)) {
    const double shrink = std::sqrt((height * width) / double(config.max_pixels));
    new_height = std::max(factor, std::floor(height / shrink / factor) * factor);
    new_width = std::max(factor, std::floor(width / shrink / factor) * factor);
  } else if (new_height * new_width < double(config.min_pixels)) {
    const double grow = std::sqrt(double(config.min_pixels) / (height * width));
    new_height = std::ceil(height * grow / factor) * factor;
    new_width = std::ceil(width * grow / factor) * factor;
  }
  return {static_cast<int64_t>(new_width), static_cast<int64_t>(new_height)};
}

// The value of each of the 256 levels, by colour. Rounded to fp32 where numpy rounds: after scaling, and after each
// operation that follows.
class LevelTable {
 public:
  explicit LevelTable(const ImageProcessorConfig& config) {
    for (size_t color = 0; color < values_.size(); ++color)
      for (size_t level = 0; level < 256; ++level)
        values_[color][level] =
            (float(double(level) * config.rescale) - float(config.mean[color])) / float(config.deviation[color]);
  }
  float value(int64_t color, uint8_t level) const { return values_[size_t(color)][level]; }

 private:
  std::array<std::array<float, 256>, kRgbChannels> values_;
};

PixelValues make_values(PixelValues::Grid grid, int64_t rows, int64_t cols, Budget& budget) {
  PixelValues out;
  out.grid = grid;
  out.rows = rows;
  out.cols = cols;
  const auto count = static_cast<size_t>(rows * cols);
  out.memory = budget.reserve(MemoryTag::activations, count * sizeof(float), "pixel values of an image");
  out.data = std::make_unique_for_overwrite<float[]>(count);
  return out;
}

PixelValues as_planes(const RgbImage& image, const LevelTable& table, Budget& budget) {
  PixelValues out =
      make_values({1, image.height(), image.width()}, kRgbChannels, image.height() * image.width(), budget);
  const std::span<const uint8_t> pixels = image.pixels();
  float* value = out.data.get();
  for (int64_t color = 0; color < kRgbChannels; ++color)
    for (size_t i = size_t(color); i < pixels.size(); i += kRgbChannels) *value++ = table.value(color, pixels[i]);
  return out;
}

// The values of the patch whose first pixel is (x, y).
float* write_patch(const RgbImage& image, const LevelTable& table, const ImageProcessorConfig& config, int64_t x,
                   int64_t y, float* out) {
  const int64_t frame_values = config.patch * config.patch;
  for (int64_t color = 0; color < kRgbChannels; ++color) {
    float* const first = out;
    for (int64_t row = 0; row < config.patch; ++row) {
      const uint8_t* in = image.row(y + row) + kRgbChannels * x + color;
      for (int64_t i = 0; i < config.patch; ++i) *out++ = table.value(color, in[kRgbChannels * i]);
    }
    for (int64_t frame = 1; frame < config.frames; ++frame) out = std::copy_n(first, frame_values, out);
  }
  return out;
}

PixelValues as_patches(const RgbImage& image, const LevelTable& table, const ImageProcessorConfig& config,
                       Budget& budget) {
  const int64_t height = image.height() / config.patch, width = image.width() / config.patch;
  PixelValues out = make_values({1, height, width}, height * width,
                                kRgbChannels * config.frames * config.patch * config.patch, budget);
  float* value = out.data.get();
  for (int64_t top = 0; top < height; top += config.merge)
    for (int64_t left = 0; left < width; left += config.merge)
      for (int64_t y = top; y < top + config.merge; ++y)
        for (int64_t x = left; x < left + config.merge; ++x)
          value = write_patch(image, table, config, x * config.patch, y * config.patch, value);
  return out;
}

PixelValues lay_out(const ImageProcessorConfig& config, const RgbImage& image, Budget& budget) {
  const LevelTable table(config);
  return config.layout == Layout::planes ? as_planes(image, table, budget) : as_patches(image, table, config, budget);
}

PixelValues crop_and_lay_out(const ImageProcessorConfig& config, const RgbImage& image, Budget& budget) {
  if (!config.crop) return lay_out(config, image, budget);
  return lay_out(config, center_crop(image, config.crop->width, config.crop->height, budget), budget);
}

}  // namespace

ImageSize resized_size(const ImageProcessorConfig& config, ImageSize size) {
  FRUGAL_CHECK(size.width > 0 && size.height > 0);
  switch (config.sizing) {
    case Sizing::as_is:
      return size;
    case Sizing::exact:
      return config.size;
    case Sizing::shortest_edge:
      return with_shortest_edge(size, config.shortest_edge);
    case Sizing::pixel_range:
      return within_pixel_range(size, config);
  }
  check_failed("a sizing that is known", __FILE__, __LINE__);
}

PixelValues process_image(const ImageProcessorConfig& config, const RgbImage& image, Budget& budget) {
  const ImageSize size{image.width(), image.height()}, resized = resized_size(config, size);
  if (resized == size) return crop_and_lay_out(config, image, budget);
  return crop_and_lay_out(config, resize(image, resized.width, resized.height, config.filter, budget), budget);
}

}  // namespace frugal
