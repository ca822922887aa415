// Decodes JPEG, PNG, WebP and GIF files into 8-bit RGB, as Pillow's convert("RGB") does: alpha and transparent colours
// are dropped, not blended; of an animation there is the first frame; CMYK is converted without a profile; of samples
// with 16 bits the upper byte stays, but grey ones are cut off at 255. The orientation that a file's EXIF data states
// is applied. A format is recognised by the first bytes, never by a name.
//
// Files are hostile: sizes are checked before anything is allocated for them, and working memory is reserved.
// docs/design/0038-image-codecs.md has the reasons for the libraries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "memory/budget.h"
#include "model/vision/rgb_image.h"

namespace frugal {

struct DecodeLimits {
  int64_t max_pixels = 100'000'000;             // width · height, as the file states them
  int64_t max_side = 65'535;                    // of both sides
  uint64_t max_file_bytes = uint64_t{1} << 28;  // of a file that read_image() reads
};

/// `bytes`: a whole file; `name` stands for it in errors. Throws Error(bad_input) that names the file, its format and
/// the part of it that is wrong; Error(over_budget).
RgbImage decode_image(std::span<const std::byte> bytes, const std::filesystem::path& name, const DecodeLimits& limits,
                      Budget& budget);
/// The same for bytes without a name.
RgbImage decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits, Budget& budget);

/// The same for a file on disk, which is read at once: one that shrinks while it is read cannot end the process. Throws
/// Error(io), too.
RgbImage read_image(const std::filesystem::path& path, const DecodeLimits& limits, Budget& budget);

}  // namespace frugal
