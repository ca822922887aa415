// How a model wants its images prepared. A pack has the processor's configuration of the checkpoint as it was
// published, under the key "image.processor".
#pragma once

#include <map>
#include <string>

#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/vision/processor_config.h"

namespace frugal {

/// Reads processor_config.json if it has an image processor, else preprocessor_config.json, as transformers does, and
/// adds the key to `config`. Throws Error(bad_input) if the checkpoint has neither, and as read_image_processor().
ImageProcessorConfig plan_image_processor(const Checkpoint& checkpoint, std::map<std::string, std::string>& config);
/// Throws what ModelConfig::fail throws.
ImageProcessorConfig image_processor_of(const ModelConfig& pack);

}  // namespace frugal
