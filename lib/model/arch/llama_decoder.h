// Llama's layers (llama_trunk.h) as a decoder, which generates text.
#pragma once

#include <memory>

#include "compute/ops/ops.h"
#include "model/arch/llama_trunk.h"
#include "model/nn/architecture.h"
#include "model/nn/model_source.h"

namespace frugal {

/// As plan_llama_trunk(), with the output layer and the chat template.
ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant);
/// Opens a pack or a checkpoint of any variant; its tensors say which. Borrows both.
std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops);

}  // namespace frugal
