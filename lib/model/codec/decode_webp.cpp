// WebP by libwebp. Its demuxer checks the container and gives the first frame, which is the image itself unless it is
// an animation; a frame that covers a part of the canvas lies on black. The frame is decoded into the picture in place.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>
#include <new>

#include "model/codec/exif.h"
#include "model/codec/format_decoders.h"

namespace frugal {
namespace {

constexpr std::string_view kFormat = "WebP";

// The first frame. Its bytes lie in the file.
class WebpFile {
 public:
  explicit WebpFile(const ImageSource& source)
      : demuxer_(open(source)), has_frame_(demuxer_ && WebPDemuxGetFrame(demuxer_.get(), 1, &frame_)) {}
  WebpFile(const WebpFile&) = delete;
  WebpFile& operator=(const WebpFile&) = delete;
  ~WebpFile() {
    if (has_frame_) WebPDemuxReleaseIterator(&frame_);
  }

  bool is_complete() const { return demuxer_ != nullptr; }
  bool has_frame() const { return has_frame_; }
  const WebPIterator& frame() const { return frame_; }
  int64_t canvas(WebPFormatFeature side) const { return WebPDemuxGetI(demuxer_.get(), side); }

  int orientation() const {
    WebPChunkIterator chunk;
    int found = 1;
    if (WebPDemuxGetChunk(demuxer_.get(), "EXIF", 1, &chunk))
      found = exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
    WebPDemuxReleaseChunkIterator(&chunk);
    return found;
  }

 private:
  static WebPDemuxer* open(const ImageSource& source) {
    const WebPData data{source.data(), source.size()};
    return WebPDemux(&data);
  }
  struct Delete {
    void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
  };
  std::unique_ptr<WebPDemuxer, Delete> demuxer_;
  WebPIterator frame_{};
  bool has_frame_;
};

// What libwebp allocates for a frame: lossless ones are decoded as a whole, lossy ones in rows of blocks, and their
// alpha channel as a whole.
uint64_t working_bytes(const WebPBitstreamFeatures& features) {
  constexpr int kLossless = 2;
  constexpr uint64_t kStateBytes = 1 << 20;
  const auto width = static_cast<uint64_t>(features.width), height = static_cast<uint64_t>(features.height);
  const uint64_t pixel_bytes = features.format == kLossless ? 4 : features.has_alpha ? 2 : 0;
  return kStateBytes + 128 * width + pixel_bytes * width * height;
}

void decode_frame(const WebpFile& file, Budget& budget, RgbImage& image) {
  const WebPIterator& frame = file.frame();
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw bad_image(kFormat, "library", "another version of libwebp");
  if (WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input) != VP8_STATUS_OK ||
      config.input.width != frame.width || config.input.height != frame.height)
    throw bad_image(kFormat, "frame", "the header is damaged");
  const Reservation memory = budget.reserve(MemoryTag::io, working_bytes(config.input), "libwebp");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  WebPRGBABuffer& out = config.output.u.RGBA;
  out.rgba = image.row(frame.y_offset) + kRgbChannels * frame.x_offset;
  out.stride = static_cast<int>(image.row_bytes());
  out.size = static_cast<size_t>(image.pixels().data() + image.pixels().size() - out.rgba);
  const VP8StatusCode status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
  if (status != VP8_STATUS_OK)
    throw bad_image(kFormat, "pixels", status == VP8_STATUS_NOT_ENOUGH_DATA ? "the file ends early" : "damaged data");
}

}  // namespace

RgbImage decode_webp(const ImageSource& source) {
  const WebpFile file(source);
  if (!file.is_complete()) throw bad_image(kFormat, "container", "the file ends early, or its chunks are damaged");
  const int64_t width = file.canvas(WEBP_FF_CANVAS_WIDTH), height = file.canvas(WEBP_FF_CANVAS_HEIGHT);
  check_image_size(kFormat, "canvas", width, height, source.limits);
  if (!file.has_frame()) throw bad_image(kFormat, "container", "no image in it");
  const WebPIterator& frame = file.frame();
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width <= 0 || frame.height <= 0 ||
      frame.x_offset + frame.width > width || frame.y_offset + frame.height > height)
    throw bad_image(kFormat, "frame", "it does not lie in the canvas");
  RgbImage image(source.budget, width, height, "a WebP image");
  if (frame.width != width || frame.height != height) std::ranges::fill(image.pixels(), uint8_t{0});
  decode_frame(file, source.budget, image);
  return apply_orientation(std::move(image), file.orientation(), source.budget);
}

}  // namespace frugal
