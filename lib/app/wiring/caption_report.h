// What was written about an image, as JSON (docs/tools/caption-image.md). It links no codec: caption-image decodes
// images itself (caption_session.h), rag-serve has them decoded (decode_image.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "model/generate/generator.h"

namespace frugal {

/// What was written about one image.
struct ImageCaption {
  std::string path;
  int64_t width = 0, height = 0;  // upright, as EXIF data states it
  Generation written;             // its text is plain (rag/text/plain_text.h), on one line
};

/// One object on one line, or indented.
std::string caption_to_json(const ImageCaption& caption, const std::string& model, const std::string& question,
                            int indent);
/// What a file that failed gives among others: {schema_version, path, error: {code, message, hint}}, on one line.
std::string caption_error_to_json(const std::string& path, const Error& error);

}  // namespace frugal
