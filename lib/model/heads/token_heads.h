// The heads of BGE-M3 (Chen et al. 2024) that read the state of every token: a weight for search by words, and a vector
// for late interaction (Khattab & Zaharia 2020). As FlagEmbedding computes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/heads/text_encoder.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/embedder.h"
#include "model/nn/model_source.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Adds the heads to the plan if sparse_linear.pt and colbert_linear.pt lie beside the weights. hidden: the encoder's.
/// Throws Error(bad_input) naming the file if one of them is missing, or has another shape.
void plan_token_heads(const Checkpoint& checkpoint, int64_t hidden, ModelPlan& plan);

class TokenHeads {
 public:
  /// Null if the source has no heads. Borrows all. Throws as ModelSource does, and what ModelConfig::fail throws.
  static std::unique_ptr<TokenHeads> open(const ModelSource& source, Ops& ops, int64_t hidden,
                                          const Tokenizer& tokenizer);

  int64_t dimension() const { return vectors_.outputs(); }
  /// x: the states of the batch, [tokens, hidden]. Fills in `sparse` and, if wanted, `token_vectors` for each of its
  /// sequences: weights of all tokens but the special ones, vectors of all but the first.
  void run(View x, const TokenBatch& batch, TokenOutputs wanted, std::span<TextEmbedding> out) const;

 private:
  TokenHeads(const ModelSource& source, Ops& ops, int64_t hidden, const Tokenizer& tokenizer);
  void find_vectors(View x, const TokenBatch& batch, std::span<TextEmbedding> out) const;
  std::vector<float> weigh(View x) const;
  std::vector<TokenWeight> weights_of(std::span<const TokenId> ids, std::span<const float> weights) const;
  bool is_unused(TokenId id) const;

  Ops& ops_;
  const Tokenizer& tokenizer_;
  std::span<const float> weight_;  // [hidden]
  float bias_ = 0;
  Linear vectors_;
};

}  // namespace frugal
