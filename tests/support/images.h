// Pictures of tests as the scripts of golden files write them: "rgb" has the bytes in hexadecimal digits.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal::testing {

inline RgbImage image_of(int64_t width, int64_t height, std::string_view hex) {
  RgbImage image(Budget::unlimited(), width, height, "a picture of a test");
  REQUIRE(hex.size() == 2 * image.pixels().size());
  const auto digit = [](char c) { return static_cast<uint8_t>(c < 'a' ? c - '0' : c - 'a' + 10); };
  for (size_t i = 0; i < image.pixels().size(); ++i)
    image.pixels()[i] = static_cast<uint8_t>(16 * digit(hex[2 * i]) + digit(hex[2 * i + 1]));
  return image;
}

// Levels that differ from pixel to pixel and from number to number.
inline RgbImage pattern_image(int64_t width, int64_t height, int number) {
  RgbImage image(Budget::unlimited(), width, height, "a picture of a test");
  for (size_t i = 0; i < image.pixels().size(); ++i)
    image.pixels()[i] = static_cast<uint8_t>(i * (size_t(number) + 3) + i * i / 97);
  return image;
}

}  // namespace frugal::testing
