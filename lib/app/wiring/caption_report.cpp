#include "app/wiring/caption_report.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace frugal {
namespace {

using nlohmann::ordered_json;

constexpr int kCaptionSchemaVersion = 1;

}  // namespace

std::string caption_to_json(const ImageCaption& caption, const std::string& model, const std::string& question,
                            int indent) {
  const Generation& written = caption.written;
  const ordered_json json{
      {"schema_version", kCaptionSchemaVersion},
      {"path", repair_utf8(caption.path)},
      {"width", caption.width},
      {"height", caption.height},
      {"question", question.empty() ? ordered_json(nullptr) : ordered_json(repair_utf8(question))},
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
      {"schema_version", kCaptionSchemaVersion},
      {"path", repair_utf8(path)},
      {"error",
       {{"code", to_string(error.code())},
        {"message", repair_utf8(error.message())},
        {"hint", error.hint().empty() ? ordered_json(nullptr) : ordered_json(repair_utf8(error.hint()))}}}};
  return json.dump() + "\n";
}

}  // namespace frugal
