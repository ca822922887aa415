// The decoder of Llama and of its variants: pre-norm, causal, with rotary positions, grouped-query attention and a
// gated MLP. llama.cpp, qwen2.cpp and qwen3.cpp each say how a checkpoint of theirs differs.
#pragma once

#include <memory>

#include "compute/ops/ops.h"
#include "model/nn/architecture.h"
#include "model/nn/model_source.h"

namespace frugal {

struct LlamaVariant {
  bool gguf_permutes = false;  // GGUF's converter orders the rows of q and k for interleaved rotary pairs
  bool head_norms = false;     // the queries and keys of each head pass an RMS norm before they are rotated
};

/// Keys of the pack begin with "llama." for every variant. Biases of linear layers are read where the checkpoint has
/// them. Throws Error(bad_input).
ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant);
/// Opens a pack or a checkpoint of any variant; its tensors say which. Borrows both.
std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops);

}  // namespace frugal
