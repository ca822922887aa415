#include "model/vision/rgb_image.h"

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace frugal;

// A pixel's colours are its x, its y and 9.
RgbImage coordinates(int64_t width, int64_t height) {
  RgbImage image(Budget::unlimited(), width, height, "a test");
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<uint8_t>(x);
      image.row(y)[3 * x + 1] = static_cast<uint8_t>(y);
      image.row(y)[3 * x + 2] = 9;
    }
  return image;
}

std::vector<int> pixel(const RgbImage& image, int64_t x, int64_t y) {
  const uint8_t* at = image.row(y) + 3 * x;
  return {at[0], at[1], at[2]};
}

TEST_CASE("a crop takes the middle, and less before it if the rest is odd") {
  const RgbImage cropped = center_crop(coordinates(10, 7), 5, 4, Budget::unlimited());
  CHECK(cropped.width() == 5);
  CHECK(cropped.height() == 4);
  CHECK(pixel(cropped, 0, 0) == std::vector{2, 1, 9});
  CHECK(pixel(cropped, 4, 3) == std::vector{6, 4, 9});
}

TEST_CASE("a crop that is larger is filled up with black, more before the image if the rest is odd") {
  const RgbImage cropped = center_crop(coordinates(4, 9), 7, 3, Budget::unlimited());
  CHECK(pixel(cropped, 1, 0) == std::vector{0, 0, 0});
  CHECK(pixel(cropped, 2, 0) == std::vector{0, 3, 9});
  CHECK(pixel(cropped, 5, 2) == std::vector{3, 5, 9});
  CHECK(pixel(cropped, 6, 2) == std::vector{0, 0, 0});
}

}  // namespace
