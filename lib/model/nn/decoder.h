// A causal language model: tokens in, logits out, with a key-value cache the caller holds.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model.h"
#include "model/tokenize/chat.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

class Decoder : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::decoder, "generator", "does not generate text",
                                        "give the pack of a decoder, such as SmolLM2, as --generator"};
  ModelKind kind() const final { return kKind.kind; }

  virtual int64_t vocab_size() const = 0;
  virtual int64_t context_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Throws Error(mismatch) saying what to set where the checkpoint's own template was not recognised.
  virtual ChatFamily chat_family() const = 0;
  virtual std::string_view default_system() const = 0;
  /// Throws Error(usage) for a type that the backend does not have.
  virtual KvCache make_cache(int64_t capacity_tokens, Budget& budget, KvType type = KvType::f32) const = 0;

  /// Appends `ids` to the cache and writes the logits of the last token: [vocab_size], or empty where none are wanted.
  virtual void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
  /// The same with the logits of every token: [ids.size(), vocab_size]. For perplexity and divergence.
  virtual void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
};

}  // namespace frugal
