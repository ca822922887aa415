#include "model/codec/image_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/naming.h"
#include "model/codec/format_decoders.h"

namespace frugal {
namespace {

struct ImageFormat {
  std::string_view signature;  // '?': any byte
  RgbImage (*decode)(const ImageSource&);
};
constexpr ImageFormat kFormats[] = {{"\xff\xd8\xff", decode_jpeg},
                                    {"\x89PNG\r\n\x1a\n", decode_png},
                                    {"RIFF????WEBP", decode_webp},
                                    {"GIF87a", decode_gif},
                                    {"GIF89a", decode_gif}};

bool begins_with_signature(std::span<const std::byte> bytes, std::string_view signature) {
  if (bytes.size() < signature.size()) return false;
  for (size_t i = 0; i < signature.size(); ++i)
    if (signature[i] != '?' && bytes[i] != static_cast<std::byte>(signature[i])) return false;
  return true;
}

}  // namespace

Error bad_image(std::string_view format, std::string_view field, std::string_view what) {
  return Error(Code::bad_input, fmt::format("{}: {}: {}", format, field, what))
      .hint("save the image again with an image editor, as JPEG, PNG, WebP or GIF");
}

void check_image_size(std::string_view format, std::string_view field, int64_t width, int64_t height,
                      const DecodeLimits& limits) {
  if (width <= 0 || height <= 0)
    throw bad_image(format, field, fmt::format("{} × {} pixels: no pixels", width, height));
  if (width > limits.max_side || height > limits.max_side)
    throw bad_image(format, field,
                    fmt::format("{} × {} pixels: a side is longer than {}", width, height, limits.max_side))
        .hint("make the image smaller");
  if (width * height > limits.max_pixels)
    throw bad_image(format, field, fmt::format("{} × {} pixels are more than {}", width, height, limits.max_pixels))
        .hint("make the image smaller");
}

RgbImage decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits, Budget& budget) {
  for (const ImageFormat& format : kFormats)
    if (begins_with_signature(bytes, format.signature)) return format.decode({bytes, limits, budget});
  throw bad_image("image", "signature", bytes.empty() ? "the file is empty" : "not JPEG, PNG, WebP or GIF");
}

RgbImage decode_image(std::span<const std::byte> bytes, const std::filesystem::path& name, const DecodeLimits& limits,
                      Budget& budget) {
  return naming_file(name, [&] { return decode_image(bytes, limits, budget); });
}

RgbImage read_image(const std::filesystem::path& path, const DecodeLimits& limits, Budget& budget) {
  std::error_code unknown;
  const uint64_t file_bytes = std::filesystem::file_size(path, unknown);
  const Reservation memory =
      budget.reserve(MemoryTag::io, unknown ? 0 : std::min(file_bytes, limits.max_file_bytes), "an image file");
  const std::string file = read_file(path, limits.max_file_bytes);
  return decode_image(std::as_bytes(std::span(file)), path, limits, budget);
}

}  // namespace frugal
