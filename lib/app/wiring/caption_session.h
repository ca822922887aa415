// Writes about the images of files with the model that the settings name.
#pragma once

#include <string>

#include "app/wiring/caption_report.h"
#include "app/wiring/image_captioner.h"
#include "app/wiring/settings.h"
#include "memory/budget.h"

namespace frugal {

class CaptionSession {
 public:
  /// Opens the model of models.captioner. Throws Error(usage) if there is none, Error(missing | mismatch |
  /// corrupt_file | over_budget) for one that cannot be used.
  CaptionSession(const cli::Tool& tool, const Settings& settings);

  /// An empty question asks for a caption. `-` is standard input. Throws Error(bad_input) for a file that is no image,
  /// Error(io), and as describe_image().
  ImageCaption describe(const std::string& file, const std::string& question);
  std::string model_name() const;

 private:
  Budget budget_;
  ImageCaptioner captioner_;
};

}  // namespace frugal
