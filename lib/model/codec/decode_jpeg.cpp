// JPEG by libjpeg-turbo. It decodes into rows of RGB, or of CMYK, which become RGB here. Only an image of several scans
// (progressive) needs more memory than some rows: the coefficients of the whole image, which are reserved, and libjpeg
// is told to use no more. A damaged place inside the data is decoded as well as can be, as by every viewer; data that
// ends before the last row is an error.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>
// <jpeglib.h> needs FILE, size_t
#include <jpeglib.h>

#include "base/checked.h"
#include "model/codec/exif.h"
#include "model/codec/format_decoders.h"

namespace frugal {
namespace {

constexpr std::string_view kFormat = "JPEG";
// Every scan is a pass over the image. Encoders write some ten; thousands of empty ones would take minutes.
constexpr int kMaxScans = 100;

// See format_decoders.h about setjmp.
class JpegReader {
 public:
  explicit JpegReader(const ImageSource& source) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = on_error;
    errors_.emit_message = [](j_common_ptr, int) {};
    source_.next_input_byte = source.data();
    source_.bytes_in_buffer = source.size();
    source_.init_source = source_.term_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr info) -> boolean { ends_early(info); };
    source_.skip_input_data = on_skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    progress_.progress_monitor = on_progress;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  const char* message() const { return message_; }
  const jpeg_decompress_struct& info() const { return info_; }
  bool is_cmyk() const { return info_.out_color_space == JCS_CMYK; }

  bool read_header() {
    if (setjmp(jump_)) return false;
    jpeg_create_decompress(&info_);
    info_.src = &source_;
    info_.progress = &progress_;
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
    return true;
  }

  /// Bytes of the coefficients that libjpeg keeps; 0 if it decodes row by row.
  uint64_t coefficient_bytes() {
    if (!jpeg_has_multiple_scans(&info_)) return 0;
    uint64_t blocks = 0;
    for (int i = 0; i < info_.num_components; ++i) {
      const jpeg_component_info& component = info_.comp_info[i];
      const auto horizontal = ceil_div(component.width_in_blocks, component.h_samp_factor) * component.h_samp_factor;
      const auto vertical = ceil_div(component.height_in_blocks, component.v_samp_factor) * component.v_samp_factor;
      blocks += static_cast<uint64_t>(horizontal * vertical);
    }
    return blocks * DCTSIZE2 * sizeof(JCOEF);
  }

  bool start(uint64_t max_bytes) {
    if (setjmp(jump_)) return false;
    info_.mem->max_memory_to_use = static_cast<long>(max_bytes);
    jpeg_start_decompress(&info_);
    return true;
  }

  bool read_row(uint8_t* row) {
    if (setjmp(jump_)) return false;
    jpeg_read_scanlines(&info_, &row, 1);
    return true;
  }

 private:
  static JpegReader& self(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  [[noreturn]] static void fail(j_common_ptr info, const char* text) {
    std::snprintf(self(info).message_, sizeof self(info).message_, "%s", text);
    std::longjmp(self(info).jump_, 1);
  }
  static void on_error(j_common_ptr info) {
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    fail(info, text);
  }
  [[noreturn]] static void ends_early(j_decompress_ptr info) {
    fail(reinterpret_cast<j_common_ptr>(info), "the file ends early");
  }
  static void on_skip(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if (static_cast<size_t>(count) > info->src->bytes_in_buffer) ends_early(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= static_cast<size_t>(count);
  }
  static void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) fail(info, "too many scans");
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX] = "";
};

// a · b / 255, rounded.
int multiply_samples(int a, int b) {
  const int product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// Without a colour profile. Adobe's programs store ink inverted, and files of others are read the same way.
void convert_cmyk(std::span<const uint8_t> stored, uint8_t* rgb) {
  for (size_t i = 0; i < stored.size(); i += 4)
    for (size_t channel = 0; channel < 3; ++channel) {
      const int light = stored[i + 3], ink = 255 - stored[i + channel];
      *rgb++ = static_cast<uint8_t>(light - multiply_samples(ink, light));
    }
}

void read_rows(JpegReader& reader, RgbImage& image) {
  std::vector<uint8_t> cmyk(reader.is_cmyk() ? size_t(4 * image.width()) : 0);
  for (int64_t y = 0; y < image.height(); ++y) {
    if (!reader.read_row(cmyk.empty() ? image.row(y) : cmyk.data()))
      throw bad_image(kFormat, "scan data", reader.message());
    if (!cmyk.empty()) convert_cmyk(cmyk, image.row(y));
  }
}

}  // namespace

RgbImage decode_jpeg(const ImageSource& source) {
  constexpr uint64_t kStateBytes = 1 << 18;       // tables, buffers
  constexpr uint64_t kRowsOfPixels = 4 * 64 * 2;  // rows of blocks in all components, before and after upsampling
  const Reservation state = source.budget.reserve(MemoryTag::io, kStateBytes, "libjpeg");
  JpegReader reader(source);
  if (!reader.read_header()) throw bad_image(kFormat, "header", reader.message());
  const int64_t width = reader.info().image_width, height = reader.info().image_height;
  check_image_size(kFormat, "frame header", width, height, source.limits);
  if (const int components = reader.info().num_components; components != 1 && components != 3 && components != 4)
    throw bad_image(kFormat, "frame header", std::to_string(components) + " components, not 1, 3 or 4");
  const uint64_t bytes = reader.coefficient_bytes() + kRowsOfPixels * static_cast<uint64_t>(width) + kStateBytes;
  const Reservation rows = source.budget.reserve(MemoryTag::io, bytes, "coefficients of a JPEG image");
  RgbImage image(source.budget, width, height, "a JPEG image");
  if (!reader.start(bytes)) throw bad_image(kFormat, "scan data", reader.message());
  FRUGAL_CHECK(reader.info().output_width == reader.info().image_width &&
               reader.info().output_components == (reader.is_cmyk() ? 4 : 3));
  read_rows(reader, image);
  return apply_orientation(std::move(image), exif_orientation(exif_of_jpeg(source.bytes)), source.budget);
}

}  // namespace frugal
