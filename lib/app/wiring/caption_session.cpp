#include "app/wiring/caption_session.h"

#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/input.h"
#include "base/error.h"
#include "base/utf8.h"
#include "model/codec/image_codec.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

RgbImage read(const std::string& file, Budget& budget) {
  const DecodeLimits limits;
  if (file != "-") return read_image(file, limits, budget);
  const std::string bytes = cli::read_standard_input(limits.max_file_bytes);
  if (bytes.size() > limits.max_file_bytes) throw Error(Code::bad_input, "standard input has more bytes than an image");
  return decode_image(std::as_bytes(std::span(bytes)), "standard input", limits, budget);
}

std::string utf8(std::string_view text) {
  return is_valid_utf8(text) ? std::string(text) : repair_utf8(text);
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

std::string caption_to_json(const ImageCaption& caption, const std::string& model, const std::string& question,
                            int indent) {
  const Generation& written = caption.written;
  const ordered_json json{
      {"schema_version", kSchemaVersion},
      {"path", utf8(caption.path)},
      {"width", caption.width},
      {"height", caption.height},
      {"question", question.empty() ? ordered_json(nullptr) : ordered_json(utf8(question))},
      {"text", written.text},
      {"model", model},
      {"cut_short", written.finish != Finish::stop},
      {"prompt_tokens", written.prompt_tokens},
      {"new_tokens", written.new_tokens},
      {"timings_ms", {{"read", double(written.prefill_ns) / 1e6}, {"write", double(written.decode_ns) / 1e6}}}};
  return json.dump(indent) + "\n";
}

std::string caption_error_to_json(const std::string& path, const Error& error) {
  const ordered_json json{
      {"schema_version", kSchemaVersion},
      {"path", utf8(path)},
      {"error",
       {{"code", to_string(error.code())},
        {"message", utf8(error.message())},
        {"hint", error.hint().empty() ? ordered_json(nullptr) : ordered_json(utf8(error.hint()))}}}};
  return json.dump() + "\n";
}

}  // namespace frugal
