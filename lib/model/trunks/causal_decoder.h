// What decoders share around their layers: checks of the input, pieces of a long prompt, the cache, the logits. An
// architecture derives from it and computes the layers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "compute/ops/ops.h"
#include "model/nn/blocks.h"
#include "model/nn/chat_config.h"
#include "model/nn/decoder.h"
#include "model/nn/model_source.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

class CausalDecoder : public Decoder {
 public:
  int64_t vocab_size() const final { return sizes_.vocab; }
  int64_t context_tokens() const final { return sizes_.context; }
  const Tokenizer& tokenizer() const final { return *tokenizer_; }
  ChatFamily chat_family() const final { return chat_.family(); }
  std::string_view default_system() const final { return chat_.default_system(); }
  std::string identity() const final { return identity_; }
  KvCache make_cache(int64_t capacity_tokens, Budget& budget, KvType type) const final;
  void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) final;
  void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) final;
  /// Processes rows that stand for no tokens, such as those of an image, as the continuation of `cache`. x: [rows,
  /// hidden], overwritten. Throws as KvCache::extend().
  void read_rows(View x, KvCache& cache);

 protected:
  /// Tokens of one forward pass of a long prompt. Bounds the working memory: 512 · 2 · 1,536 floats of SmolLM2's MLP
  /// are 6 MiB.
  static constexpr int64_t kTokensPerForward = 512;

  struct Sizes {
    int64_t vocab = 0, hidden = 0, context = 0;
    int64_t layers = 0, kv_heads = 0, head_dim = 0;  // of the cache
  };
  /// Borrows both.
  CausalDecoder(const ModelSource& source, Ops& ops, const Sizes& sizes);

  /// x [ids, hidden] becomes the rows of the tokens.
  virtual void embed_tokens(std::span<const TokenId> ids, View x) const = 0;
  /// Adds the learned positions from `first_position` on, in a model that has some.
  virtual void add_positions(int64_t first_position, View x) const {
    static_cast<void>(first_position);
    static_cast<void>(x);
  }
  /// The layers: x [tokens, hidden] becomes the output of the last one, and its keys and values are in the cache, which
  /// has room for them and is not yet advanced.
  virtual void run_layers(KvCache& cache, View x) = 0;
  /// The norm before the head; out may alias x.
  virtual void final_norm(View x, View out) const = 0;
  virtual const Linear& head() const = 0;
  /// Changes the logits of the head, in a model that does. logits: [tokens, vocab], in place.
  virtual void adjust_logits(View logits) const { static_cast<void>(logits); }

  Ops& ops_;

 private:
  template <typename Use>
  void run(std::span<const TokenId> ids, KvCache& cache, Use&& use);
  void write_logits(View x, std::span<float> logits) const;

  Sizes sizes_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  ChatConfig chat_;
  std::string identity_;
};

}  // namespace frugal
