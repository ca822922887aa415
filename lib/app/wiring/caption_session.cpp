#include "app/wiring/caption_session.h"

#include <span>

#include "app/cli/input.h"
#include "base/error.h"
#include "model/codec/image_codec.h"

namespace frugal {
namespace {

RgbImage read(const std::string& file, Budget& budget) {
  const DecodeLimits limits;
  if (file != "-") return read_image(file, limits, budget);
  const std::string bytes = cli::read_standard_input(limits.max_file_bytes);
  if (bytes.size() > limits.max_file_bytes) throw Error(Code::bad_input, "standard input has more bytes than an image");
  return decode_image(std::as_bytes(std::span(bytes)), "standard input", limits, budget);
}

}  // namespace

CaptionSession::CaptionSession(const cli::Tool& tool, const Settings& settings)
    : budget_(tool.budget_limits()), captioner_(tool, settings, budget_) {}

ImageCaption CaptionSession::describe(const std::string& file, const std::string& question) {
  const RgbImage image = read(file, budget_);
  return {file, image.width(), image.height(), captioner_.describe(image, question)};
}

std::string CaptionSession::model_name() const {
  return captioner_.pack().filename().native();
}

}  // namespace frugal
