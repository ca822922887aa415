// The model that writes about images, opened from the settings. It reads pictures and no files (caption_session.h).
#pragma once

#include <filesystem>
#include <string>

#include "app/wiring/settings.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "model/generate/generator.h"
#include "model/hub/loaded_model.h"
#include "model/nn/vision_language.h"
#include "model/vision/rgb_image.h"

namespace frugal {

class ImageCaptioner {
 public:
  /// Opens the model of models.captioner. Borrows `settings` and `budget`. Throws Error(usage) if there is none,
  /// Error(missing | mismatch | corrupt_file | over_budget) for one that cannot be used.
  ImageCaptioner(const cli::Tool& tool, const Settings& settings, Budget& budget);

  /// An empty question asks for a caption. The text is plain (rag/text/plain_text.h), on one line. `sink` is called
  /// between tokens, and may end it. Throws as describe_image().
  Generation describe(const RgbImage& image, const std::string& question, const TokenSink& sink = {});
  /// Everything that a caption depends on.
  std::string identity() const;
  const std::filesystem::path& pack() const { return pack_; }

 private:
  const Settings& settings_;
  Budget& budget_;
  std::filesystem::path pack_;
  ThreadPool threads_;
  LoadedModel model_;
  VisionLanguage& describer_;
};

}  // namespace frugal
