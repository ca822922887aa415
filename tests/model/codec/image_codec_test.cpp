// Every pixel of images of all formats against Pillow.
#include "model/codec/image_codec.h"

#include <doctest/doctest.h>

#include "support/image_goldens.h"

namespace {

using namespace frugal;
using namespace frugal::testing;

TEST_CASE("images of all formats decode as Pillow decodes them") {
  const ImageGoldens goldens;
  CHECK(goldens.table("images").size() >= 50);
  for (const simdjson::dom::element row : goldens.table("images")) {
    const std::string file = text(row, "file");
    CAPTURE(file);
    const RgbImage image = read_image(ImageGoldens::image(file), {}, Budget::unlimited());
    REQUIRE(image.width() == integer(row, "width"));
    REQUIRE(image.height() == integer(row, "height"));
    const auto expected = goldens.bytes(integer(row, "offset"), 3 * image.width() * image.height());
    CHECK(max_level_difference(image.pixels(), expected) <= integer(row, "tolerance"));
  }
}

}  // namespace
