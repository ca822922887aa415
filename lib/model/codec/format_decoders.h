// The decoder of each image format, and what they share. Internal to model/codec.
//
// libpng and libjpeg report errors by longjmp. Every call of them is therefore in a member function of a reader that
// has a setjmp and no object with a destructor, and says by a boolean whether it got through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/codec/image_codec.h"

namespace frugal {

/// A file in memory, and what may be spent on it.
struct ImageSource {
  std::span<const std::byte> bytes;
  const DecodeLimits& limits;
  Budget& budget;

  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes.data()); }
  size_t size() const { return bytes.size(); }
};

RgbImage decode_jpeg(const ImageSource& source);
RgbImage decode_png(const ImageSource& source);
RgbImage decode_webp(const ImageSource& source);
RgbImage decode_gif(const ImageSource& source);

/// "FORMAT: FIELD: what is wrong", with a hint.
Error bad_image(std::string_view format, std::string_view field, std::string_view what);

/// Throws bad_image() naming `field` if a side is not positive or beyond the limits.
void check_image_size(std::string_view format, std::string_view field, int64_t width, int64_t height,
                      const DecodeLimits& limits);

}  // namespace frugal
