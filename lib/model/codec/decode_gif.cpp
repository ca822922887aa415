// GIF by giflib: the first image, which may lie anywhere on the canvas, even beyond the screen that the file states.
// Around it is the transparent colour, or colour 0.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "model/codec/format_decoders.h"

namespace frugal {
namespace {

constexpr std::string_view kFormat = "GIF";

struct ReadPosition {
  std::span<const std::byte> file;
  size_t at = 0;
};

int on_read(GifFileType* gif, GifByteType* out, int count) {
  auto& position = *static_cast<ReadPosition*>(gif->UserData);
  const size_t available = std::min(position.file.size() - position.at, static_cast<size_t>(std::max(count, 0)));
  std::memcpy(out, position.file.data() + position.at, available);
  position.at += available;
  return static_cast<int>(available);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, CloseGif>;

Error gif_error(std::string_view field, int error) {
  const char* text = GifErrorString(error);
  const bool ends = error == D_GIF_ERR_READ_FAILED || error == D_GIF_ERR_EOF_TOO_SOON;
  return bad_image(kFormat, field, ends || !text ? "the file ends early" : text);
}

// Reads up to the first image. Returns the colour that is transparent, or -1.
int read_to_image(GifFileType* gif) {
  int transparent = NO_TRANSPARENT_COLOR;
  for (;;) {
    GifRecordType record;
    if (DGifGetRecordType(gif, &record) == GIF_ERROR) throw gif_error("records", gif->Error);
    if (record == TERMINATE_RECORD_TYPE) throw bad_image(kFormat, "records", "no image in it");
    if (record == IMAGE_DESC_RECORD_TYPE) break;
    int code = 0;
    GifByteType* block = nullptr;
    GraphicsControlBlock control;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) throw gif_error("extension", gif->Error);
    // The first byte of a block is its length.
    if (block && code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
        control.TransparentColor != NO_TRANSPARENT_COLOR)
      transparent = control.TransparentColor;
    while (block)
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) throw gif_error("extension", gif->Error);
  }
  if (DGifGetImageDesc(gif) == GIF_ERROR) throw gif_error("image descriptor", gif->Error);
  return transparent;
}

// The colours of the image. Indices beyond the table are black; without a table, or if it only counts up, they are grey
// values themselves.
using Palette = std::array<std::array<uint8_t, kRgbChannels>, 256>;
Palette palette_of(const ColorMapObject* map) {
  const int count = map ? std::min(map->ColorCount, 256) : 0;
  bool is_grey = true;
  Palette palette{};
  for (int i = 0; i < count; ++i) {
    const GifColorType& color = map->Colors[i];
    palette[size_t(i)] = {color.Red, color.Green, color.Blue};
    is_grey = is_grey && color.Red == i && color.Green == i && color.Blue == i;
  }
  if (is_grey)
    for (size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<uint8_t>(i));
  return palette;
}

// The rows of an image in the order of the file: interlaced ones come in four passes.
std::vector<int> row_order(int height, bool interlaced) {
  struct Pass {
    int first, step;
  };
  constexpr Pass kPlain[] = {{0, 1}}, kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  std::vector<int> order;
  order.reserve(static_cast<size_t>(height));
  for (const Pass& pass : interlaced ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain))
    for (int y = pass.first; y < height; y += pass.step) order.push_back(y);
  return order;
}

void read_pixels(GifFileType* gif, const Palette& palette, RgbImage& image) {
  const GifImageDesc& desc = gif->Image;
  std::vector<GifPixelType> indices(static_cast<size_t>(desc.Width));
  for (const int y : row_order(desc.Height, desc.Interlace)) {
    if (DGifGetLine(gif, indices.data(), desc.Width) == GIF_ERROR) throw gif_error("pixels", gif->Error);
    uint8_t* out = image.row(desc.Top + y) + kRgbChannels * desc.Left;
    for (const GifPixelType index : indices) out = std::ranges::copy(palette[index], out).out;
  }
}

}  // namespace

RgbImage decode_gif(const ImageSource& source) {
  constexpr uint64_t kStateBytes = 1 << 17;  // giflib's tables
  const Reservation state = source.budget.reserve(MemoryTag::io, kStateBytes, "giflib");
  ReadPosition position{source.bytes};
  int error = 0;
  const Gif gif(DGifOpen(&position, on_read, &error));
  if (!gif) throw gif_error("screen descriptor", error);
  const int transparent = read_to_image(gif.get());
  const GifImageDesc& desc = gif->Image;
  check_image_size(kFormat, "image descriptor", desc.Width, desc.Height, source.limits);
  const int64_t width = std::max<int64_t>(gif->SWidth, int64_t{desc.Left} + desc.Width);
  const int64_t height = std::max<int64_t>(gif->SHeight, int64_t{desc.Top} + desc.Height);
  check_image_size(kFormat, "screen descriptor", width, height, source.limits);
  const Reservation rows = source.budget.reserve(
      MemoryTag::io, static_cast<uint64_t>(desc.Width) + 4 * static_cast<uint64_t>(desc.Height), "rows of a GIF image");
  const Palette palette = palette_of(desc.ColorMap ? desc.ColorMap : gif->SColorMap);
  RgbImage image(source.budget, width, height, "a GIF image");
  if (desc.Width != width || desc.Height != height) {
    const auto& around = palette[size_t(std::max(transparent, 0)) & 255];
    for (size_t i = 0; i < image.pixels().size(); ++i) image.pixels()[i] = around[i % kRgbChannels];
  }
  read_pixels(gif.get(), palette, image);
  return image;
}

}  // namespace frugal
