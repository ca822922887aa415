// Every value of processed images against transformers' processors.
#include "model/vision/image_processor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <vector>

#include "base/hash.h"
#include "model/codec/image_codec.h"
#include "support/errors.h"
#include "support/image_goldens.h"

namespace {

using namespace frugal;
using namespace frugal::testing;

ImageProcessorConfig golden_config(const std::string& name) {
  const std::string file = name + ".json";
  return read_image_processor(read_file(ImageGoldens::folder() / file), file);
}

RgbImage golden_image(const std::string& name) {
  return read_image(ImageGoldens::image(name), {}, Budget::unlimited());
}

PixelValues::Grid grid_of(simdjson::dom::element row) {
  std::vector<int64_t> sides;
  for (const int64_t side : list(row, "grid")) sides.push_back(side);
  REQUIRE(sides.size() == 3);
  return {sides[0], sides[1], sides[2]};
}

// The colour of the value at `i`.
size_t color_of(const PixelValues& values, size_t i) {
  if (values.rows == 3) return i / size_t(values.cols);
  return i % size_t(values.cols) / (size_t(values.cols) / 3);
}

// The largest difference of a value from that of the expected level, in levels.
double max_difference(const ImageProcessorConfig& config, const PixelValues& values, std::span<const uint8_t> levels) {
  REQUIRE(values.values().size() == levels.size());
  double worst = 0;
  for (size_t i = 0; i < levels.size(); ++i) {
    const size_t color = color_of(values, i);
    const double level = (values.values()[i] * config.deviation[color] + config.mean[color]) / config.rescale;
    worst = std::max(worst, std::fabs(level - levels[i]));
  }
  return worst;
}

TEST_CASE("images of all formats are processed as transformers processes them") {
  const ImageGoldens goldens;
  std::map<std::string, int64_t> tolerance;
  for (const simdjson::dom::element row : goldens.table("images"))
    tolerance[text(row, "file")] = integer(row, "tolerance");
  CHECK(goldens.table("processed").size() >= 200);
  for (const simdjson::dom::element row : goldens.table("processed")) {
    const std::string file = text(row, "file"), name = text(row, "config");
    CAPTURE(file);
    CAPTURE(name);
    const ImageProcessorConfig config = golden_config(name);
    const PixelValues values = process_image(config, golden_image(file), Budget::unlimited());
    CHECK(values.grid == grid_of(row));
    const auto levels = goldens.bytes(integer(row, "offset"), integer(row, "bytes"));
    CHECK(max_difference(config, values, levels) <= double(tolerance[file]) + 1e-3);
  }
}

TEST_CASE("the published configurations give the same fp32 values as transformers") {
  const ImageGoldens goldens;
  for (const simdjson::dom::element row : goldens.table("published")) {
    const std::string file = text(row, "file"), name = text(row, "config");
    CAPTURE(file);
    CAPTURE(name);
    const PixelValues values = process_image(golden_config(name), golden_image(file), Budget::unlimited());
    CHECK(values.grid == grid_of(row));
    REQUIRE(int64_t(values.values().size()) == integer(row, "values"));
    for (const simdjson::dom::element sample : list(row, "samples")) {
      const simdjson::dom::array pair = sample.get_array().value();
      const int64_t at = pair.at(0);
      CHECK(double(values.values()[size_t(at)]) == doctest::Approx(double(pair.at(1))).epsilon(1e-6));
    }
    if (!file.ends_with(".jpg")) CHECK(Sha256().update(std::as_bytes(values.values())).hex() == text(row, "sha256"));
  }
}

TEST_CASE("the size of a resized image is known without its pixels") {
  const ImageProcessorConfig clip = golden_config("clip"), qwen = golden_config("qwen3-vl");
  CHECK(resized_size(clip, {640, 480}) == ImageSize{298, 224});
  CHECK(resized_size(clip, {480, 640}) == ImageSize{224, 298});
  CHECK(resized_size(golden_config("blip2"), {640, 480}) == ImageSize{224, 224});
  // Halves are rounded to even: 80 / 32 = 2.5, 112 / 32 = 3.5.
  ImageProcessorConfig small = qwen;
  small.min_pixels = 1;
  CHECK(resized_size(small, {80, 112}) == ImageSize{64, 128});
  CHECK(resized_size(qwen, {1, 200}).width == 32);
  CHECK(contains(message_of([&] { resized_size(qwen, {1, 201}); }), "image: 1 × 201 pixels"));
  CHECK(contains(message_of([&] { resized_size(clip, {60000, 1}); }), "image: 60000 × 1 pixels"));
}

TEST_CASE("pixel values are reserved before they are computed") {
  const ImageProcessorConfig config = golden_config("blip2");
  const RgbImage image = golden_image("rgb.png");
  Budget budget(uint64_t{3} << 20), small(100'000);
  {
    const PixelValues values = process_image(config, image, budget);
    CHECK(budget.used_bytes() == 4u * 3 * 224 * 224);
  }
  CHECK(budget.used_bytes() == 0);
  const std::optional<Error> error = error_of([&] { process_image(config, image, small); });
  REQUIRE(error);
  CHECK(error->code() == Code::over_budget);
  CHECK(small.used_bytes() == 0);
}

}  // namespace
