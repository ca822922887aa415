#include "app/wiring/caption_session.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "app/cli/input.h"
#include "app/config/paths.h"
#include "base/ascii.h"
#include "base/error.h"
#include "base/naming.h"
#include "base/utf8.h"
#include "model/codec/image_codec.h"
#include "model/generate/image_describer.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

std::filesystem::path captioner_of(const Settings& settings) {
  if (settings.models.captioner.empty())
    throw Error(Code::usage, "no model to describe images with")
        .hint("caption-image FILE --model blip2-opt-2.7b.pack; quantize-model makes such a pack");
  return find_model(settings.models.captioner);
}

VisionLanguage& require_vision(const LoadedModel& model, const std::filesystem::path& pack) {
  if (auto* found = model.find<VisionLanguage>()) return *found;
  throw Error(Code::mismatch, fmt::format("'{}' {}", pack.native(), VisionLanguage::kKind.refusal))
      .hint(std::string(VisionLanguage::kKind.hint));
}

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
    : settings_(settings),
      budget_(tool.budget_limits()),
      pack_(captioner_of(settings)),
      threads_(tool.threads()),
      model_(pack_, threads_, budget_, tool.backend(), LoadMode::mmap, settings.common.memory.paging),
      describer_(require_vision(model_, pack_)) {
  describer_.limit_pixels(settings.caption_pixels);
}

ImageCaption CaptionSession::describe(const std::string& file, const std::string& question) {
  const RgbImage image = read(file, budget_);
  GenerateOptions options = settings_.pipeline.generate;
  options.max_new_tokens = settings_.caption_tokens;
  ImageCaption caption{file, image.width(), image.height(), {}};
  caption.written = describe_image(describer_, image, question, options, budget_, {}, settings_.generator.kv_type);
  caption.written.text = collapse_spaces(plain_text(caption.written.text));
  return caption;
}

std::string CaptionSession::model_name() const {
  return pack_.filename().native();
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
