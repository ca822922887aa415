// Makes the checksums of a damaged PNG right again, so that a test reaches the code behind their check.
#pragma once

#include <cstdint>
#include <string>

namespace frugal::testing {

/// CRC-32 as in zlib and PNG.
inline uint32_t crc32(const char* data, size_t num_bytes) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < num_bytes; ++i) {
    crc ^= static_cast<uint8_t>(data[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

/// Of each whole chunk: the length of its content, its type, the content, the checksum of both.
inline void fix_png_checksums(std::string& file) {
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(file[at])); };
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
    if (length > file.size() - at - 12) return;
    const uint32_t crc = crc32(file.data() + at + 4, length + 4);
    for (size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
    at += 12 + length;
  }
}

}  // namespace frugal::testing
