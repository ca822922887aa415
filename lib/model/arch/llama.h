// Llama (Touvron et al. 2023): a pre-norm causal decoder with rotary positions, grouped-query attention and a gated
// MLP.
#pragma once

#include <memory>

#include "model/nn/architecture.h"
#include "model/nn/decoder.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Configuration and tensor table, from Hugging Face or GGUF names.
ModelPlan plan_llama(const Checkpoint& checkpoint);

std::unique_ptr<Decoder> open_llama(const ModelSource& source, Ops& ops);

}  // namespace frugal
