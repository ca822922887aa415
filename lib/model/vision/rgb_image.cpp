#include "model/vision/rgb_image.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace frugal {
namespace {

// Longer sides would make products of sizes below overflow; readers of files have stricter limits.
constexpr int64_t kMaxSide = int64_t{1} << 30;

// Where `size` pixels of a side come from and go to, if `length` of them are wanted.
struct CropRange {
  int64_t from = 0, to = 0, count = 0;
};
CropRange crop_range(int64_t size, int64_t length) {
  if (length <= size) return {(size - length) / 2, 0, length};
  return {0, ceil_div(length - size, 2), size};
}

}  // namespace

RgbImage::RgbImage(Budget& budget, int64_t width, int64_t height, std::string_view purpose)
    : width_(width), height_(height) {
  FRUGAL_CHECK(width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide);
  memory_ = budget.reserve(MemoryTag::io, size_bytes(), purpose);
  pixels_ = std::make_unique_for_overwrite<uint8_t[]>(size_bytes());
}

RgbImage center_crop(const RgbImage& image, int64_t width, int64_t height, Budget& budget) {
  RgbImage cropped(budget, width, height, "a cropped image");
  const CropRange x = crop_range(image.width(), width), y = crop_range(image.height(), height);
  if (x.count < width || y.count < height) std::ranges::fill(cropped.pixels(), uint8_t{0});
  for (int64_t row = 0; row < y.count; ++row)
    std::copy_n(image.row(y.from + row) + kRgbChannels * x.from, kRgbChannels * x.count,
                cropped.row(y.to + row) + kRgbChannels * x.to);
  return cropped;
}

}  // namespace frugal
