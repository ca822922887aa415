// The decoder of Gemma 2 and Gemma 3: norms before and after each part of a layer, a gated MLP, and layers that see
// only a window. gemma2.cpp and gemma3.cpp say how their checkpoints differ.
//
// The cache keeps every token in every layer, those that see a window included.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"
#include "model/trunks/causal_decoder.h"

namespace frugal {

/// What the checkpoints of a version have, or mean where their configuration says nothing.
struct GemmaVariant {
  int64_t full_every = 0;   // of so many layers the last sees all tokens, the others a window
  int64_t context = 0;      // the default
  bool soft_caps = false;   // of the attention scores and of the logits; its checkpoints say which
  bool head_norms = false;  // the queries and keys of each head pass an RMS norm before they are rotated
  RopeKeys full_rope, window_rope;
  // The model with so many layers divides its scores by √(hidden / heads), the others by √head_dim; GGUF does not say.
  int64_t layers_scaled_by_hidden = 0;
  // What begins the keys and the names of tensors in a Hugging Face folder, where it is a part of another model.
  std::string config_prefix = {};
  std::vector<std::string> tensor_prefixes = {"model."};
};

struct GemmaConfig {
  int64_t layers, hidden, heads, kv_heads, head_dim, intermediate, context, vocab, window;
  double epsilon, score_divisor, attention_cap, logit_cap;  // a cap of 0: none
  std::string activation;
  std::string windowed;  // for each layer 1 if it sees a window, else 0

  int64_t q_features() const { return heads * head_dim; }
  int64_t kv_features() const { return kv_heads * head_dim; }
};

/// x: [tokens, hidden], updated in place.
class GemmaLayer {
 public:
  GemmaLayer(const WeightLoader& load, const GemmaConfig& config, int64_t index);
  bool sees_window() const { return attention_.window > 0; }
  void forward(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, KvCache& cache, View x) const;

 private:
  void attend(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, KvCache& cache, View x) const;
  void feed_forward(Ops& ops, View x) const;

  int64_t index_, intermediate_;
  Activation activation_;
  AttentionSpec attention_;
  NormSpec norm1_, norm2_, added1_, added2_;  // before each part, and of what it adds
  NormSpec q_norm_, k_norm_;                  // of each head, where the model has them
  LinearGroup qkv_, gate_up_;
  Linear out_, down_;
};

class GemmaDecoder final : public CausalDecoder {
 public:
  /// Opens a pack or a checkpoint of any variant. Borrows both.
  GemmaDecoder(const ModelSource& source, Ops& ops, const GemmaConfig& config);

 protected:
  void embed_tokens(std::span<const TokenId> ids, View x) const override;
  void run_layers(KvCache& cache, View x) override;
  void final_norm(View x, View out) const override { ops_.norm(norm_, x, out); }
  const Linear& head() const override { return head_; }
  void adjust_logits(View logits) const override;

 private:
  float embedding_scale_, logit_cap_;
  Linear head_;  // its weight is also the table of words
  RopeTable full_rope_, window_rope_;
  std::vector<GemmaLayer> layers_;
  NormSpec norm_;
};

/// Throws Error(bad_input).
ModelPlan plan_gemma_decoder(const Checkpoint& checkpoint, const GemmaVariant& variant);
/// Borrows both.
std::unique_ptr<Model> open_gemma_decoder(const ModelSource& source, Ops& ops);

}  // namespace frugal
