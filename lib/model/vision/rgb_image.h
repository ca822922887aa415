// A picture in memory: 8-bit RGB, three bytes a pixel, rows from top to bottom without gaps between them. Its bytes are
// reserved in a budget before they are allocated. Not a codec: model/codec makes pictures from files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "memory/budget.h"

namespace frugal {

constexpr int64_t kRgbChannels = 3;

class RgbImage {
 public:
  RgbImage() = default;
  /// Pixels of unspecified colours. Sides are positive. Throws Error(over_budget) naming `purpose`.
  RgbImage(Budget& budget, int64_t width, int64_t height, std::string_view purpose);

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  int64_t row_bytes() const { return kRgbChannels * width_; }
  std::span<uint8_t> pixels() { return {pixels_.get(), size_bytes()}; }
  std::span<const uint8_t> pixels() const { return {pixels_.get(), size_bytes()}; }
  uint8_t* row(int64_t y) { return pixels_.get() + y * row_bytes(); }
  const uint8_t* row(int64_t y) const { return pixels_.get() + y * row_bytes(); }

 private:
  size_t size_bytes() const { return static_cast<size_t>(row_bytes() * height_); }
  int64_t width_ = 0, height_ = 0;
  Reservation memory_;
  std::unique_ptr<uint8_t[]> pixels_;
};

/// The middle width × height of `image`. A side that is longer than the image's is filled up with black, the larger
/// half of it in front. Sides are positive.
RgbImage center_crop(const RgbImage& image, int64_t width, int64_t height, Budget& budget);

}  // namespace frugal
