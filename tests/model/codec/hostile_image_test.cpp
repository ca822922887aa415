// Files that are cut, damaged or lie about their size: an Error that names the file, the format and the field, or an
// image, and never memory beyond the budget.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "model/codec/image_codec.h"
#include "support/errors.h"
#include "support/image_goldens.h"
#include "support/png_checksums.h"

namespace {

using namespace frugal;
using namespace frugal::testing;

std::string golden(std::string_view name) {
  return read_file(ImageGoldens::image(name));
}

RgbImage decode(const std::string& file, Budget& budget = Budget::unlimited(), const DecodeLimits& limits = {}) {
  return decode_image(std::as_bytes(std::span(file)), "holiday.img", limits, budget);
}

std::string decode_message(const std::string& file, const DecodeLimits& limits = {}) {
  // A budget that allows for libraries, but for no image that is worth a lie.
  Budget budget(uint64_t{4} << 20);
  const std::optional<Error> error = error_of([&] { decode(file, budget, limits); });
  CHECK(budget.used_bytes() == 0);
  if (!error) return "no error";
  CHECK(error->code() == Code::bad_input);
  CHECK_FALSE(error->hint().empty());
  return error->message();
}

// `file` with big-endian or little-endian numbers of two bytes at `at`.
enum class Order { big, little };
std::string with_sides(std::string file, size_t at, uint16_t first, uint16_t second, Order order) {
  for (const uint16_t side : {first, second})
    for (int byte = 0; byte < 2; ++byte)
      file[at++] = static_cast<char>(side >> ((byte == 0) == (order == Order::big) ? 8 : 0));
  return file;
}

std::string png_with_sides(uint16_t width, uint16_t height) {
  std::string file = golden("rgb.png");
  file = with_sides(with_sides(file, 16, 0, width, Order::big), 20, 0, height, Order::big);
  fix_png_checksums(file);
  return file;
}
std::string jpeg_with_sides(uint16_t width, uint16_t height) {
  const std::string file = golden("rgb-444.jpg");
  return with_sides(file, file.find("\xff\xc0") + 5, height, width, Order::big);
}
std::string gif_with_sides(uint16_t width, uint16_t height) {
  return with_sides(golden("offset.gif"), 6, width, height, Order::little);
}
std::string webp_with_canvas(uint32_t width, uint32_t height) {
  std::string file = golden("animated-part.webp");
  for (const uint32_t side : {width, height})
    for (size_t byte = 0; byte < 3; ++byte)
      file[24 + byte + (side == height ? 3 : 0)] = static_cast<char>((side - 1) >> (8 * byte));
  return file;
}

TEST_CASE("an image that is cut anywhere is an error or complete") {
  const ImageGoldens goldens;
  for (const simdjson::dom::element row : goldens.table("images")) {
    const std::string name = text(row, "file"), whole = golden(name);
    CAPTURE(name);
    const size_t step = std::max<size_t>(1, whole.size() / 150);
    for (size_t length = 0; length < whole.size(); length += step) {
      CAPTURE(length);
      const std::optional<Error> error = error_of([&] { decode(whole.substr(0, length)); });
      if (length < whole.size() / 2) REQUIRE(error);
      if (!error) continue;
      CHECK(error->code() == Code::bad_input);
      CHECK(contains(error->message(), "'holiday.img': "));
    }
  }
}

TEST_CASE("an image with any byte of its beginning changed is an error or an image") {
  const ImageGoldens goldens;
  Budget budget(uint64_t{32} << 20);
  for (const simdjson::dom::element row : goldens.table("images")) {
    const std::string name = text(row, "file"), whole = golden(name);
    CAPTURE(name);
    for (size_t at = 0; at < std::min<size_t>(whole.size(), 400); ++at)
      for (const char value : {'\0', '\xff', static_cast<char>(whole[at] ^ 1)}) {
        CAPTURE(at);
        std::string damaged = whole;
        damaged[at] = value;
        if (name.ends_with(".png")) fix_png_checksums(damaged);
        const std::optional<Error> error = error_of([&] { decode(damaged, budget); });
        if (error && error->code() != Code::over_budget) CHECK(error->code() == Code::bad_input);
        REQUIRE(budget.used_bytes() == 0);
      }
  }
}

TEST_CASE("a size beyond the limits is refused before memory is requested for it") {
  CHECK(contains(decode_message(png_with_sides(60000, 60000)),
                 "'holiday.img': PNG: IHDR: 60000 × 60000 pixels are more than 100000000"));
  CHECK(contains(decode_message(jpeg_with_sides(60000, 60000)),
                 "'holiday.img': JPEG: frame header: 60000 × 60000 pixels are more than 100000000"));
  CHECK(contains(decode_message(gif_with_sides(60000, 60000)),
                 "'holiday.img': GIF: screen descriptor: 60000 × 60000 pixels are more than 100000000"));
  CHECK(contains(decode_message(webp_with_canvas(50000, 60000)),
                 "'holiday.img': WebP: canvas: 50000 × 60000 pixels are more than 100000000"));
  DecodeLimits limits;
  limits.max_pixels = 1000;
  CHECK(contains(decode_message(golden("rgb.png"), limits), "45 × 33 pixels are more than 1000"));
  limits.max_pixels = 45 * 33;
  CHECK(decode_message(golden("rgb.png"), limits) == "no error");
  limits.max_side = 44;
  CHECK(contains(decode_message(golden("rgb.png"), limits), "a side is longer than 44"));
}

TEST_CASE("an image without pixels is refused") {
  CHECK(contains(decode_message(png_with_sides(0, 33)), "'holiday.img': PNG: header: "));
  CHECK(contains(decode_message(jpeg_with_sides(0, 33)), "'holiday.img': JPEG: header: "));
  CHECK(contains(decode_message(jpeg_with_sides(33, 0)), "'holiday.img': JPEG: header: "));
  std::string gif = golden("transparent.gif");
  const size_t descriptor = gif.find(std::string("\0,", 2)) + 2;
  CHECK(contains(decode_message(with_sides(gif, descriptor + 4, 0, 15, Order::little)),
                 "'holiday.img': GIF: image descriptor: 0 × 15 pixels: no pixels"));
}

TEST_CASE("a file that is no image is refused by name") {
  CHECK(decode_message("") == "'holiday.img': image: signature: the file is empty");
  CHECK(decode_message("# a text\n") == "'holiday.img': image: signature: not JPEG, PNG, WebP or GIF");
  CHECK(contains(decode_message("\x89PNG\r\n\x1a\n"), "'holiday.img': PNG: header: the file ends early"));
  CHECK(contains(decode_message("GIF89a"), "'holiday.img': GIF: screen descriptor: "));
  CHECK(contains(decode_message("\xff\xd8\xff"), "'holiday.img': JPEG: header: the file ends early"));
  CHECK(contains(decode_message(std::string("RIFF\4\0\0\0WEBP", 12)), "'holiday.img': WebP: container: "));
  const std::string message = message_of([] { read_image("/nowhere/a.png", {}, Budget::unlimited()); });
  CHECK(contains(message, "'/nowhere/a.png'"));
}

TEST_CASE("a format is recognised by content") {
  const RgbImage image = decode(golden("lossless.webp"));
  CHECK(image.width() == 43);
}

TEST_CASE("an image holds its bytes in the budget, and a refusal comes before the allocation") {
  Budget budget(uint64_t{16} << 20);
  {
    const RgbImage image = decode(golden("progressive.jpg"), budget);
    CHECK(budget.used_bytes() == 3u * 50 * 34);
    CHECK(budget.peak_bytes() > budget.used_bytes());
  }
  CHECK(budget.used_bytes() == 0);
  // 9,999 × 9,999 pixels are within the limits, but not in 16 MiB.
  for (const std::string& file : {png_with_sides(9999, 9999), jpeg_with_sides(9999, 9999), gif_with_sides(9999, 9999),
                                  webp_with_canvas(9998, 9999)}) {
    const std::optional<Error> error = error_of([&] { decode(file, budget); });
    REQUIRE(error);
    CHECK(error->code() == Code::over_budget);
    CHECK(budget.used_bytes() == 0);
  }
}

TEST_CASE("chunks of a PNG that hold no pixels cost nothing") {
  // 16 MiB of zeros, compressed, as text and as a colour profile (scripts/make_image_goldens.py).
  Budget budget(uint64_t{1} << 20);
  const RgbImage image = decode(read_file(ImageGoldens::folder() / "hostile/compressed-text.png"), budget);
  CHECK(image.width() == 45);
}

TEST_CASE("a JPEG with thousands of scans is refused") {
  const std::string file = golden("progressive.jpg");
  const size_t last_scan = file.rfind("\xff\xda");
  std::string longer = file.substr(0, last_scan);
  for (int i = 0; i < 3000; ++i) longer += file.substr(last_scan, file.size() - 2 - last_scan);
  CHECK(contains(decode_message(longer + "\xff\xd9"), "'holiday.img': JPEG: scan data: too many scans"));
}

TEST_CASE("damaged EXIF data leaves an image as it is stored") {
  const std::string file = golden("orientation-6.jpg");
  const size_t header = file.find(std::string("Exif\0\0", 6)) + 6;
  CHECK(decode(file).width() == 14);
  for (size_t at = header; at < header + 8; ++at) {
    std::string damaged = file;
    damaged[at] = '\xee';
    CHECK(decode(damaged).width() == 21);
  }
}

}  // namespace
