// The orientation of a photograph, which cameras write into its EXIF data instead of turning the pixels.
#pragma once

#include <cstddef>
#include <span>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// 1 (as stored) to 8. `exif`: TIFF data, with or without "Exif\0\0" in front; 1 if it has no orientation or is
/// damaged.
int exif_orientation(std::span<const std::byte> exif);

/// The EXIF data in a file of that format; empty if there is none.
std::span<const std::byte> exif_of_jpeg(std::span<const std::byte> file);
std::span<const std::byte> exif_of_png(std::span<const std::byte> file);

/// `image` turned and mirrored so that an image of this orientation stands upright.
RgbImage apply_orientation(RgbImage image, int orientation, Budget& budget);

}  // namespace frugal
