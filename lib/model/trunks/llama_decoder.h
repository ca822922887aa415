// Llama's layers (llama_trunk.h) as a decoder, which generates text. It reads images, too, where they come as rows with
// positions in a grid.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "compute/ops/ops.h"
#include "model/nn/architecture.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"
#include "model/trunks/causal_decoder.h"
#include "model/trunks/llama_trunk.h"

namespace frugal {

/// The rows of an image, by rows of its grid.
struct ImageRows {
  View rows;                   // [height · width, hidden]; overwritten
  std::span<const View> deep;  // of the same shape: added to the outputs of the first layers
  int64_t height = 0, width = 0;
};

class LlamaDecoder final : public CausalDecoder {
 public:
  /// Opens a pack or a checkpoint of any variant; its tensors say which. Borrows both.
  LlamaDecoder(const ModelSource& source, Ops& ops) : LlamaDecoder(source, ops, LlamaTrunk(source, ops)) {}

  const LlamaConfig& config() const { return trunk_.config(); }
  /// Processes an image as the continuation of `cache`. Its rows have the position of the next token in time, and move
  /// away from it along the other axes; the token behind the image follows the largest of their positions. Throws as
  /// KvCache::extend().
  void read_image(const ImageRows& image, const RopeSections& sections, KvCache& cache);

 protected:
  void embed_tokens(std::span<const TokenId> ids, View x) const override;
  void run_layers(KvCache& cache, View x) override;
  void final_norm(View x, View out) const override { trunk_.norm(x, out); }
  const Linear& head() const override { return head_; }

 private:
  LlamaDecoder(const ModelSource& source, Ops& ops, LlamaTrunk trunk);

  LlamaTrunk trunk_;
  bool tied_;  // the output layer uses the embeddings as its weight
  Linear head_;
  EmbeddingTable words_;
};

/// As plan_llama_trunk(), with the output layer and the chat template, added to `plan`.
LlamaConfig plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant, ModelPlan& plan);
ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant);
/// Borrows both.
std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops);

}  // namespace frugal
