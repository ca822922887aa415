// Writes about the images of files with the model that the settings name.
#pragma once

#include <cstdint>
#include <string>

#include "app/wiring/image_captioner.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "memory/budget.h"
#include "model/generate/generator.h"

namespace frugal {

/// What was written about one image.
struct ImageCaption {
  std::string path;
  int64_t width = 0, height = 0;  // upright, as EXIF data states it
  Generation written;             // its text is plain (rag/text/plain_text.h), on one line
};

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

/// One object on one line, or indented.
std::string caption_to_json(const ImageCaption& caption, const std::string& model, const std::string& question,
                            int indent);
/// What a file that failed gives among others: {schema_version, path, error: {code, message, hint}}, on one line.
std::string caption_error_to_json(const std::string& path, const Error& error);

}  // namespace frugal
