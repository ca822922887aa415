// Data compressed by deflate, as PDF stores them, and PNG files around such data. Bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

/// Unpacks a zlib stream. One that is damaged gives what comes before; nullopt: more than max_bytes.
std::optional<std::string> inflate(std::string_view compressed, size_t max_bytes);

/// An image of 8-bit samples, grey or RGB.
struct PngSamples {
  uint32_t width = 0, height = 0;
  bool is_rgb = true;
};

/// A PNG file of a zlib stream whose rows begin with their filters, which is how PNG stores them, too.
std::string png_of(const PngSamples& image, std::string_view compressed_rows);
/// A PNG file of rows without filters; `samples` is cut, or filled up with zeros.
std::string png_of_samples(const PngSamples& image, std::string samples);

}  // namespace frugal
