// The images that frugal-extract hands out: decoded, and made so small that the other process can take thousands of
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// Decodes an image file; one of more than max_pixels is made smaller, in proportion. Throws Error(bad_input),
/// Error(over_budget).
RgbImage decode_bounded(std::span<const std::byte> bytes, uint64_t max_pixels, Budget& budget);

}  // namespace frugal
