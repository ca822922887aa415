// Resizes pictures with antialiasing, to the byte as Pillow's Image.resize does (without reducing_gap): the processors
// of published vision models use it, and a model sees the difference between two kinds of "bicubic".
#pragma once

#include <cstdint>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

enum class ResampleFilter { bilinear, bicubic, lanczos };

/// `image` with the given sides, which are positive. Throws Error(over_budget).
RgbImage resize(const RgbImage& image, int64_t width, int64_t height, ResampleFilter filter, Budget& budget);

}  // namespace frugal
