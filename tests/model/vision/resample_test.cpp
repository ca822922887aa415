// Every pixel of resized images against Pillow.
#include "model/vision/resample.h"

#include <doctest/doctest.h>

#include <map>

#include "model/codec/image_codec.h"
#include "support/image_goldens.h"

namespace {

using namespace frugal;
using namespace frugal::testing;

TEST_CASE("images are resized to the byte as Pillow resizes them") {
  const ImageGoldens goldens;
  const RgbImage image = read_image(ImageGoldens::image("large-rgb.png"), {}, Budget::unlimited());
  const std::map<std::string, ResampleFilter> filters{{"bilinear", ResampleFilter::bilinear},
                                                      {"bicubic", ResampleFilter::bicubic},
                                                      {"lanczos", ResampleFilter::lanczos}};
  for (const simdjson::dom::element row : goldens.table("resized")) {
    const std::string filter = text(row, "filter");
    const int64_t width = integer(row, "width"), height = integer(row, "height");
    CAPTURE(filter);
    CAPTURE(width);
    CAPTURE(height);
    const RgbImage resized = resize(image, width, height, filters.at(filter), Budget::unlimited());
    REQUIRE(resized.width() == width);
    REQUIRE(resized.height() == height);
    CHECK(max_level_difference(resized.pixels(), goldens.bytes(integer(row, "offset"), 3 * width * height)) == 0);
  }
}

}  // namespace
