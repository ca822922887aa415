#include "app/wiring/image_captioner.h"

#include <fmt/format.h>

#include "app/config/paths.h"
#include "base/ascii.h"
#include "base/error.h"
#include "model/generate/image_describer.h"
#include "rag/text/plain_text.h"

namespace frugal {
namespace {

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

}  // namespace

ImageCaptioner::ImageCaptioner(const cli::Tool& tool, const Settings& settings, Budget& budget)
    : settings_(settings),
      budget_(budget),
      pack_(captioner_of(settings)),
      threads_(tool.threads()),
      model_(pack_, threads_, budget_, tool.backend(), LoadMode::mmap, settings.common.memory.paging),
      describer_(require_vision(model_, pack_)) {
  describer_.limit_pixels(settings.caption_pixels);
}

Generation ImageCaptioner::describe(const RgbImage& image, const std::string& question, const TokenSink& sink) {
  GenerateOptions options = settings_.pipeline.generate;
  options.max_new_tokens = settings_.caption_tokens;
  Generation written = describe_image(describer_, image, question, options, budget_, sink, settings_.generator.kv_type);
  written.text = collapse_spaces(plain_text(written.text));
  return written;
}

std::string ImageCaptioner::identity() const {
  return fmt::format("{} {} {}", describer_.identity(), settings_.caption_tokens, settings_.caption_pixels);
}

}  // namespace frugal
