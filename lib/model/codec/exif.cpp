#include "model/codec/exif.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/checked.h"

namespace frugal {
namespace {

using Bytes = std::span<const std::byte>;

bool begins_with(Bytes bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() && std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

// Bytes beyond the end read as 0.
uint32_t byte_at(Bytes bytes, uint64_t at) {
  return at < bytes.size() ? std::to_integer<uint32_t>(bytes[at]) : 0;
}
uint32_t big16(Bytes bytes, uint64_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}
uint32_t big32(Bytes bytes, uint64_t at) {
  return big16(bytes, at) << 16 | big16(bytes, at + 2);
}

// The numbers of TIFF data, in the byte order that its header states.
struct TiffReader {
  Bytes bytes;
  bool little;

  uint32_t u16(uint64_t at) const {
    return little ? byte_at(bytes, at) | byte_at(bytes, at + 1) << 8 : big16(bytes, at);
  }
  uint32_t u32(uint64_t at) const { return little ? u16(at) | u16(at + 2) << 16 : big32(bytes, at); }
};

constexpr std::string_view kExifPrefix("Exif\0\0", 6);

Bytes without_prefix(Bytes exif) {
  return begins_with(exif, kExifPrefix) ? exif.subspan(kExifPrefix.size()) : exif;
}

// Where a pixel of the turned image comes from: x and y exchanged first, then counted from the other end.
struct Turn {
  bool exchange, from_right, from_bottom;
};
constexpr std::array<Turn, 9> kTurns{{{},
                                      {false, false, false},
                                      {false, true, false},
                                      {false, true, true},
                                      {false, false, true},
                                      {true, false, false},
                                      {true, false, true},
                                      {true, true, true},
                                      {true, true, false}}};

}  // namespace

int exif_orientation(Bytes exif) {
  constexpr uint32_t kOrientation = 0x0112, kByte = 1, kShort = 3, kLong = 4;
  exif = without_prefix(exif);
  const bool little = begins_with(exif, std::string_view("II*\0", 4));
  if (!little && !begins_with(exif, std::string_view("MM\0*", 4))) return 1;
  const TiffReader tiff{exif, little};
  const uint64_t directory = tiff.u32(4), entries = tiff.u16(directory);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + 12 * i;
    if (!fits(entry, 12, exif.size())) return 1;
    if (tiff.u16(entry) != kOrientation || tiff.u32(entry + 4) != 1) continue;
    const uint32_t type = tiff.u16(entry + 2);
    const uint64_t at = entry + 8;
    const uint32_t value = type == kByte    ? byte_at(exif, at)
                           : type == kShort ? tiff.u16(at)
                           : type == kLong  ? tiff.u32(at)
                                            : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// Segments follow each other up to the first scan: FF, a marker, a length that counts itself.
Bytes exif_of_jpeg(Bytes file) {
  constexpr uint32_t kApp1 = 0xe1, kStartOfScan = 0xda, kFill = 0xff;
  uint64_t at = 2;
  while (fits(at, 4, file.size()) && byte_at(file, at) == 0xff) {
    const uint32_t marker = byte_at(file, at + 1), length = big16(file, at + 2);
    if (marker == kFill) {
      ++at;
      continue;
    }
    if (marker == kStartOfScan || length < 2 || !fits(at + 2, length, file.size())) break;
    const Bytes content = file.subspan(at + 4, length - 2);
    if (marker == kApp1 && begins_with(content, kExifPrefix)) return content;
    at += 2 + length;
  }
  return {};
}

// Chunks follow each other: the length of the content, a type, the content, a checksum.
Bytes exif_of_png(Bytes file) {
  constexpr uint64_t kAround = 12;
  uint64_t at = 8;
  while (fits(at, kAround, file.size())) {
    const uint64_t length = big32(file, at);
    if (!fits(at + kAround, length, file.size())) break;
    if (begins_with(file.subspan(at + 4), "eXIf")) return file.subspan(at + 8, length);
    at += kAround + length;
  }
  return {};
}

RgbImage apply_orientation(RgbImage image, int orientation, Budget& budget) {
  if (orientation <= 1 || orientation > 8) return image;
  const Turn turn = kTurns[size_t(orientation)];
  const int64_t width = turn.exchange ? image.height() : image.width();
  const int64_t height = turn.exchange ? image.width() : image.height();
  RgbImage turned(budget, width, height, "an image turned upright");
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* out = turned.row(y);
    for (int64_t x = 0; x < width; ++x, out += kRgbChannels) {
      const int64_t from_x = turn.exchange ? y : x, from_y = turn.exchange ? x : y;
      const int64_t in_x = turn.from_right ? image.width() - 1 - from_x : from_x;
      const int64_t in_y = turn.from_bottom ? image.height() - 1 - from_y : from_y;
      std::copy_n(image.row(in_y) + kRgbChannels * in_x, kRgbChannels, out);
    }
  }
  return turned;
}

}  // namespace frugal
