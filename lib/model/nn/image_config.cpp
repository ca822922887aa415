#include "model/nn/image_config.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "model/format/flat_json.h"

namespace frugal {
namespace {

constexpr std::string_view kKey = "image.processor";
constexpr std::string_view kNested = "processor_config.json", kAlone = "preprocessor_config.json";
constexpr size_t kMaxBytes = size_t(64) << 10;  // published ones have less than 1 KiB

bool has_image_processor(std::string_view json) {
  const FlatJson fields(json, kNested);
  return fields.text("image_processor.image_processor_type") || fields.text("image_processor.feature_extractor_type");
}

}  // namespace

ImageProcessorConfig plan_image_processor(const Checkpoint& checkpoint, std::map<std::string, std::string>& config) {
  std::string_view file = kNested;
  std::optional<std::string> json = checkpoint.side_file(kNested);
  if (!json || !has_image_processor(*json)) {
    file = kAlone;
    json = checkpoint.side_file(kAlone);
  }
  if (!json)
    throw Error(Code::bad_input, fmt::format("the checkpoint has no {}", kAlone))
        .hint("download the missing file; it says how images are prepared");
  if (json->size() > kMaxBytes)
    throw Error(Code::bad_input, fmt::format("'{}' has {} bytes, more than {}", file, json->size(), kMaxBytes));
  ImageProcessorConfig processor = read_image_processor(*json, file);
  config[std::string(kKey)] = std::move(*json);
  return processor;
}

ImageProcessorConfig image_processor_of(const ModelConfig& pack) {
  const std::string_view json = pack.require_text(kKey);
  if (json.size() > kMaxBytes) pack.fail(fmt::format("config key '{}' has {} bytes", kKey, json.size()));
  ImageProcessorConfig processor;
  try {
    processor = read_image_processor(json, kKey);
  } catch (const Error& error) {
    pack.fail(error.message());
  }
  return processor;
}

}  // namespace frugal
