// Decodes an image in another program, frugal-extract, for tools that link no codec and read files of others.
#pragma once

#include <cstdint>
#include <string>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// The pixels of a JPEG, PNG, WebP or GIF file (its first frame), upright as EXIF data states. Larger ones than
/// `max_pixels` are made smaller, in proportion. Throws Error(bad_input) for bytes that are no image,
/// Error(over_budget).
RgbImage decode_image_elsewhere(std::string file, uint64_t max_pixels, Budget& budget);

}  // namespace frugal
