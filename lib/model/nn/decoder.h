// The interface of a causal language model: it reads tokens and writes logits. The caller owns the key-value cache.
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

/// Not thread-safe: one forward pass at a time.
class Decoder : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::decoder, "generator", "does not generate text",
                                        "give the pack of a decoder, such as SmolLM2, as --generator"};
  ModelKind kind() const final { return kKind.kind; }

  virtual int64_t vocab_size() const = 0;
  virtual int64_t context_tokens() const = 0;  // the longest sequence
  virtual const Tokenizer& tokenizer() const = 0;
  /// Throws Error(mismatch) if the checkpoint's chat template was not recognised; the hint names the setting to use.
  virtual ChatFamily chat_family() const = 0;
  virtual std::string_view default_system() const = 0;
  /// A cache for up to `capacity_tokens`, or for the context if that is shorter. Throws Error(usage) if the backend
  /// does not support `type`.
  virtual KvCache make_cache(int64_t capacity_tokens, Budget& budget, KvType type = KvType::f32) const = 0;

  /// Processes `ids` as the continuation of `cache`, appends their keys and values to it, and writes the logits of the
  /// last token. logits: [vocab_size], or empty if they are not needed. Throws Error(corrupt_file) for an id outside
  /// the vocabulary, and as KvCache::extend().
  virtual void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
  /// The same, with the logits of every token: [ids.size(), vocab_size]. For perplexity and KL divergence.
  virtual void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
};

}  // namespace frugal
