// Images to measure models of images with, made up as the texts of calibration and verification were: gradients, shapes
// in many colours and sizes, and noise. The same on every machine, since they are computed in integers. No photographs:
// a package could not carry them, and figures are differences between two models that see the same image. A change of
// the images changes the figures of every pack and what --dtype auto chooses.
#pragma once

#include <cstdint>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// Image number `index` of a set; equal numbers give equal images. Sets have no image in common.
enum class ImageSet { calibration, verification };
RgbImage made_image(ImageSet set, int64_t index, Budget& budget);

}  // namespace frugal
