#include "rag/office/flate.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace frugal {
namespace {

Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

void append_number(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

void append_chunk(std::string& out, std::string_view kind, std::string_view data) {
  append_number(out, static_cast<uint32_t>(data.size()));
  const size_t begin = out.size();
  out.append(kind).append(data);
  const std::string_view checked = std::string_view(out).substr(begin);
  append_number(out, static_cast<uint32_t>(::crc32(0, bytes_of(checked), static_cast<uInt>(checked.size()))));
}

}  // namespace

std::optional<std::string> inflate(std::string_view compressed, size_t max_bytes) {
  z_stream stream{};
  if (::inflateInit(&stream) != Z_OK) return std::string();
  stream.next_in = bytes_of(compressed);
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  std::array<char, 1 << 16> block;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= max_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(block.data(), block.size() - stream.avail_out);
  }
  ::inflateEnd(&stream);
  if (out.size() > max_bytes) return std::nullopt;
  return out;
}

std::string png_of(const PngSamples& image, std::string_view compressed_rows) {
  std::string header;
  append_number(header, image.width);
  append_number(header, image.height);
  header += {8, image.is_rgb ? '\2' : '\0', 0, 0, 0};  // bits, colour type, methods
  std::string out = "\x89PNG\r\n\x1a\n";
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", compressed_rows);
  append_chunk(out, "IEND", {});
  return out;
}

std::string png_of_samples(const PngSamples& image, std::string samples) {
  const size_t row = size_t{image.width} * (image.is_rgb ? 3 : 1);
  samples.resize(row * image.height);
  std::string rows;
  rows.reserve((row + 1) * image.height);
  for (size_t y = 0; y < image.height; ++y) rows.append(1, '\0').append(samples, y * row, row);
  uLongf length = ::compressBound(static_cast<uLong>(rows.size()));
  std::string compressed(length, '\0');
  if (::compress2(bytes_of(compressed), &length, bytes_of(rows), static_cast<uLong>(rows.size()), 0) != Z_OK) return {};
  compressed.resize(length);
  return png_of(image, compressed);
}

}  // namespace frugal
