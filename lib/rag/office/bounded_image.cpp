#include "rag/office/bounded_image.h"

#include <algorithm>
#include <cmath>

#include "model/codec/image_codec.h"
#include "model/vision/resample.h"

namespace frugal {

RgbImage decode_bounded(std::span<const std::byte> bytes, uint64_t max_pixels, Budget& budget) {
  RgbImage image = decode_image(bytes, DecodeLimits(), budget);
  const auto width = static_cast<double>(image.width()), height = static_cast<double>(image.height());
  const double scale = std::sqrt(static_cast<double>(max_pixels) / (width * height));
  if (scale >= 1) return image;
  // The shorter side has a pixel at least, so that the longer one may have to give more.
  const auto shorter = [&](double side) { return std::max<int64_t>(1, static_cast<int64_t>(side * scale)); };
  const auto longest = static_cast<int64_t>(max_pixels) / std::min(shorter(width), shorter(height));
  return resize(image, std::min(shorter(width), longest), std::min(shorter(height), longest), ResampleFilter::bicubic,
                budget);
}

}  // namespace frugal
