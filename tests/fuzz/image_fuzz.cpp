// Any bytes as an image, those of a PNG with right checksums, and as the configuration of a processor: pixel values of
// the stated size, or an Error.
#include <cstdlib>
#include <span>
#include <string>

#include "fuzz/expect.h"
#include "model/codec/image_codec.h"
#include "model/vision/image_processor.h"
#include "support/png_checksums.h"

namespace {

void decode_and_process(const std::string& file) {
  frugal::Budget budget(uint64_t{256} << 20);
  frugal::fuzz::expect_no_bug([&] {
    frugal::DecodeLimits limits;
    limits.max_pixels = 1 << 18;
    limits.max_side = 1 << 12;
    const frugal::RgbImage image = frugal::decode_image(std::as_bytes(std::span(file)), "image", limits, budget);
    frugal::ImageProcessorConfig config;
    config.size = {1 + image.height() % 40, 1 + image.width() % 40};
    const frugal::PixelValues values = frugal::process_image(config, image, budget);
    if (values.grid.height != config.size.height || values.grid.width != config.size.width) std::abort();
  });
  if (budget.used_bytes() != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  std::string file(reinterpret_cast<const char*>(data), num_bytes);
  if (file.starts_with("{")) {
    frugal::fuzz::expect_no_bug([&] {
      const frugal::ImageProcessorConfig config = frugal::read_image_processor(file, "config");
      frugal::resized_size(config, {640, 480});
    });
    return 0;
  }
  if (file.starts_with("\x89PNG")) frugal::testing::fix_png_checksums(file);
  decode_and_process(file);
  return 0;
}
