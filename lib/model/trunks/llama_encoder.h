// Llama's layers (llama_trunk.h) as an encoder of whole sequences. A token sees those before it, so only the last one
// has seen the whole text.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/heads/text_encoder.h"
#include "model/nn/model_source.h"
#include "model/nn/tensor_table.h"
#include "model/tokenize/tokenizer.h"
#include "model/trunks/llama_trunk.h"

namespace frugal {

class LlamaEncoder final : public TextEncoder {
 public:
  /// Borrows both. Throws as ModelSource does, and what ModelConfig::fail throws.
  LlamaEncoder(const ModelSource& source, Ops& ops);

  int64_t vocab() const { return trunk_.config().vocab; }
  int64_t hidden() const override { return trunk_.config().hidden; }
  int64_t max_tokens() const override { return trunk_.config().context; }
  bool has_types() const override { return false; }
  void check_ids(std::span<const TokenId> ids) const override;
  /// The states behind the last norm.
  View encode(const TokenBatch& batch) override;
  View encode_firsts(const TokenBatch& batch) override;

 private:
  Ops& ops_;
  LlamaTrunk trunk_;
  std::filesystem::path file_;  // for errors
  EmbeddingTable words_;
};

/// Tensors of a checkpoint by their names in packs, in Hugging Face folders (with or without the prefix "model.") and
/// in GGUF files.
TensorTable llama_encoder_names();
/// As plan_llama_trunk(), with embeddings that are looked up alone.
LlamaConfig plan_llama_encoder(const Checkpoint& checkpoint, const LlamaVariant& variant, TensorTable& table,
                               std::map<std::string, std::string>& keys);

}  // namespace frugal
