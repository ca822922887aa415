// BERT (Devlin et al. 2018): a post-norm bidirectional encoder, here as a sentence embedder (Reimers & Gurevych 2019).
#pragma once

#include <memory>

#include "model/nn/architecture.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"

namespace frugal {

/// Configuration and tensor table, from Hugging Face (`bert.` prefix or none) or GGUF names.
ModelPlan plan_bert(const Checkpoint& checkpoint);

std::unique_ptr<Embedder> open_bert(const ModelSource& source, Ops& ops);

}  // namespace frugal
