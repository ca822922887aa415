// PNG by libpng. Of the chunks only the header, the palette and the pixels are read: text, profiles and other ancillary
// chunks, which can hold compressed data of any size, are skipped without a look at their content. libpng writes the
// rows into the picture itself, an interlaced image pass by pass, so it needs a few rows of memory besides.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "model/codec/exif.h"
#include "model/codec/format_decoders.h"

namespace frugal {
namespace {

constexpr std::string_view kFormat = "PNG";

struct PngHeader {
  png_uint_32 width = 0, height = 0;
  int bit_depth = 0, color_type = 0;
  bool is_deep_grey() const { return bit_depth == 16 && color_type == PNG_COLOR_TYPE_GRAY; }
};

// See format_decoders.h about setjmp.
class PngReader {
 public:
  explicit PngReader(std::span<const std::byte> file)
      : file_(file), png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning)) {
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) std::snprintf(message_, sizeof message_, "libpng could not be started");
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  const char* message() const { return message_; }

  /// Up to the pixels.
  bool read_header(PngHeader& header) {
    if (!info_ || setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // all but IHDR, PLTE, tRNS, IDAT, IEND
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);             // ours are checked next
    png_set_chunk_malloc_max(png_, 1 << 16);
    png_read_info(png_, info_);
    header.bit_depth = png_get_bit_depth(png_, info_);
    header.color_type = png_get_color_type(png_, info_);
    header.width = png_get_image_width(png_, info_);
    header.height = png_get_image_height(png_, info_);
    return true;
  }

  /// Rows of RGB, or of deep grey in the first two thirds of each row.
  bool read_rows(const PngHeader& header, uint8_t* pixels, size_t row_bytes) {
    if (setjmp(png_jmpbuf(png_))) return false;
    if (!header.is_deep_grey()) {
      png_set_expand(png_);
      png_set_strip_16(png_);
      png_set_gray_to_rgb(png_);
      png_set_strip_alpha(png_);
    }
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    const size_t expected = header.is_deep_grey() ? row_bytes / 3 * 2 : row_bytes;
    if (png_get_rowbytes(png_, info_) != expected) png_error(png_, "rows of an unexpected size");
    for (int pass = 0; pass < passes; ++pass)
      for (size_t y = 0; y < header.height; ++y) png_read_row(png_, pixels + y * row_bytes, nullptr);
    return true;
  }

 private:
  static void on_read(png_structp png, png_bytep out, size_t count) {
    auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self.file_.size() - self.at_) png_error(png, "the file ends early");
    std::memcpy(out, self.file_.data() + self.at_, count);
    self.at_ += count;
  }
  static void on_error(png_structp png, png_const_charp text) {
    auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self.message_, sizeof self.message_, "%s", text);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  std::span<const std::byte> file_;
  size_t at_ = 0;
  char message_[256] = "";
  png_structp png_;
  png_infop info_ = nullptr;
};

// Grey values of 16 bits, big-endian, at the front of each row, become RGB. From the right, so that none is overwritten
// before it is read.
void spread_deep_grey(RgbImage& image) {
  for (int64_t y = 0; y < image.height(); ++y) {
    uint8_t* row = image.row(y);
    for (int64_t x = image.width(); x-- > 0;) {
      const uint8_t grey = row[2 * x] > 0 ? 255 : row[2 * x + 1];
      std::memset(row + 3 * x, grey, 3);
    }
  }
}

}  // namespace

RgbImage decode_png(const ImageSource& source) {
  constexpr uint64_t kStateBytes = 1 << 17;  // zlib's window, buffers
  constexpr uint64_t kRowsOfPixels = 3 * 8;  // three rows, 8 bytes a pixel at most
  const Reservation state = source.budget.reserve(MemoryTag::io, kStateBytes, "libpng");
  PngReader reader(source.bytes);
  PngHeader header;
  if (!reader.read_header(header)) throw bad_image(kFormat, "header", reader.message());
  check_image_size(kFormat, "IHDR", header.width, header.height, source.limits);
  const Reservation rows = source.budget.reserve(MemoryTag::io, kRowsOfPixels * header.width, "rows of a PNG image");
  RgbImage image(source.budget, header.width, header.height, "a PNG image");
  if (!reader.read_rows(header, image.pixels().data(), static_cast<size_t>(image.row_bytes())))
    throw bad_image(kFormat, "pixels", reader.message());
  if (header.is_deep_grey()) spread_deep_grey(image);
  return apply_orientation(std::move(image), exif_orientation(exif_of_png(source.bytes)), source.budget);
}

}  // namespace frugal
