// The layers of Llama and of its variants: pre-norm, causal, with rotary positions, grouped-query attention and a gated
// MLP. llama_decoder.cpp makes a decoder of them, llama_encoder.cpp an encoder. llama.cpp, qwen2.cpp and qwen3.cpp each
// say how a checkpoint of theirs differs.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/nn/blocks.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"
#include "model/nn/tensor_table.h"

namespace frugal {

struct LlamaVariant {
  bool gguf_permutes = false;  // GGUF's converter orders the rows of q and k for interleaved rotary pairs
  bool head_norms = false;     // the queries and keys of each head pass an RMS norm before they are rotated
  // What begins the keys and the names of tensors in a Hugging Face folder, where Llama is a part of another model.
  std::string config_prefix = {}, tensor_prefix = "model.";
};

struct LlamaConfig {
  int64_t layers, hidden, heads, kv_heads, head_dim, intermediate, context, vocab;
  double epsilon;
  std::string activation;

  int64_t q_features() const { return heads * head_dim; }
  int64_t kv_features() const { return kv_heads * head_dim; }
};

/// Where a forward pass has its keys and values, which decides the tokens that a query sees: a cache with the tokens
/// before it, or the rows of this pass alone.
class PassKv {
 public:
  virtual ~PassKv() = default;
  /// Buffers for a layer's keys and values of the pass, f32 [tokens, kv_features], in the caller's scope.
  virtual KvCache::Fresh fresh_rows(int64_t layer, int64_t tokens) = 0;
  /// Takes over the rows that the layer wrote into its buffers, and attends: as Ops::attention.
  virtual void attend(int64_t layer, const AttentionSpec& spec, const KvCache::Fresh& fresh, View q, View out) = 0;
};

/// Pre-norm decoder block. x: [tokens, hidden], updated in place.
class LlamaLayer {
 public:
  LlamaLayer(const WeightLoader& load, const LlamaConfig& config, int64_t index);
  void forward(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x) const;

 private:
  void attend(Ops& ops, const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x) const;
  void feed_forward(Ops& ops, View x) const;

  int64_t index_;
  LlamaConfig config_;
  Activation activation_;
  NormSpec norm1_, norm2_;
  NormSpec q_norm_, k_norm_;  // of each head, where the model has them
  LinearGroup qkv_, gate_up_;
  Linear out_, down_;
  AttentionSpec attention_;
};

class LlamaTrunk {
 public:
  /// Borrows both. Throws as ModelSource does, and what ModelConfig::fail throws.
  LlamaTrunk(const ModelSource& source, Ops& ops);

  const LlamaConfig& config() const { return config_; }
  const RopeTable& rope() const { return rope_; }
  /// Every layer. positions: those of the rows of x, below `length`. x: [tokens, hidden], updated in place.
  void run(std::span<const int32_t> positions, int64_t length, PassKv& kv, View x);
  /// The same with a table of the caller's, of which the rows of x have the rows `positions`. deep[i], shaped as x, is
  /// added to the output of layer i (DeepStack, Meng et al. 2024); there are at most as many as layers.
  void run(const RopeSpec& rope, std::span<const int32_t> positions, PassKv& kv, View x, std::span<const View> deep);
  /// The norm behind the last layer; out may alias x.
  void norm(View x, View out) const { ops_.norm(norm_, x, out); }

 private:
  Ops& ops_;
  LlamaConfig config_;
  RopeTable rope_;
  NormSpec norm_;
  std::vector<LlamaLayer> layers_;
};

/// Reads the configuration, and adds its keys ("llama.…") and the tensors from the embeddings, whose role is `words`,
/// to the last norm. Biases of linear layers are read where the checkpoint has them. Throws Error(bad_input).
LlamaConfig plan_llama_trunk(const Checkpoint& checkpoint, const LlamaVariant& variant, TensorRole words,
                             TensorTable& table, std::map<std::string, std::string>& keys);

}  // namespace frugal
