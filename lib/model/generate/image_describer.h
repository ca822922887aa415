// Writes about an image with a model of images and text: a caption, or the answer to a request.
#pragma once

#include <string_view>

#include "memory/budget.h"
#include "model/generate/generator.h"
#include "model/nn/kv_cache.h"
#include "model/nn/vision_language.h"
#include "model/vision/rgb_image.h"

namespace frugal {

/// An empty request asks for a caption. The deadline of `options` is checked between tokens alone; prompt_tokens counts
/// those of the image, too. Throws as VisionLanguage::read(), and Error(usage) for an option out of range.
Generation describe_image(VisionLanguage& model, const RgbImage& image, std::string_view request,
                          const GenerateOptions& options, Budget& budget, const TokenSink& sink = {},
                          KvType kv_type = KvType::automatic);

}  // namespace frugal
