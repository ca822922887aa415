#include "app/wiring/decode_image.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "rag/extract/extract.h"
#include "rag/extract/extraction_child.h"

namespace frugal {

RgbImage decode_image_elsewhere(std::string file, uint64_t max_pixels, Budget& budget) {
  if (file.size() > ExtractOptions().max_file_bytes) throw Error(Code::bad_input, "has more bytes than an image");
  ExtractionChild child;
  child.read(
      FileKind::image, std::move(file), budget, [](uint64_t) {}, max_pixels);
  std::optional<ExtractionChild::Image> image = child.next_image(budget);
  if (!image) throw Error(Code::bad_input, "has no pixels");
  return std::move(image->pixels);
}

}  // namespace frugal
