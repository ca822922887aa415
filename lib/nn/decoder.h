// A causal language model: tokens in, logits out, with a key-value cache the caller holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/pack.h"
#include "memory/budget.h"
#include "nn/model_source.h"
#include "ops/ops.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace frugal {

/// Keys and values of the tokens seen so far, fp32, [layers][capacity, kv_heads · head_dim], in the memory of a
/// backend. Reserved as kv_cache before it is allocated; grows in steps up to its capacity so that a short prompt does
/// not pay for a long context. Must not outlive `ops`.
class KvCache {
 public:
  KvCache(Ops& ops, int64_t layers, int64_t kv_features, int64_t capacity, Budget* budget);
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  /// Forgets the tokens from `length` on.
  void truncate(int64_t length);
  /// Makes room for `tokens` more. Throws Error(bad_input) beyond the capacity, Error(over_budget).
  void extend(int64_t tokens);
  void advance(int64_t tokens) { length_ += tokens; }

  /// Names everything that the bits of a row depend on but the model and its tokens; empty where the backend promises
  /// nothing (Ops::value_identity): such rows are of no use to another process.
  std::string row_identity() const;
  uint64_t bytes_per_token() const { return layers_.size() * 2 * static_cast<uint64_t>(kv_features_) * sizeof(float); }
  /// Rows [first, first + tokens) of every layer, its keys and then its values, as they lie in memory.
  /// to: tokens · bytes_per_token().
  void save(int64_t first, int64_t tokens, std::span<std::byte> to) const;
  /// Appends rows that save() gave. Throws as extend() does.
  void append(int64_t tokens, std::span<const std::byte> from);

  View keys(int64_t layer) { return matrix(layers_[static_cast<size_t>(layer)].keys); }      // [allocated, kv_features]
  View values(int64_t layer) { return matrix(layers_[static_cast<size_t>(layer)].values); }  // the same

 private:
  using Memory = std::shared_ptr<std::byte>;
  struct Layer {
    Memory keys, values;
  };
  View matrix(const Memory& memory) const { return View(memory.get(), DType::f32, Shape{allocated_, kv_features_}); }
  Memory grown_copy(const Memory& old, int64_t tokens) const;

  Ops* ops_;
  int64_t kv_features_, capacity_, allocated_ = 0, length_ = 0;
  Budget* budget_;
  std::vector<Reservation> reservations_;
  std::vector<Layer> layers_;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t context_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Throws Error(mismatch) saying what to set where the checkpoint's own template was not recognised.
  virtual ChatFamily chat_family() const = 0;
  virtual std::string_view default_system() const = 0;
  virtual std::string identity() const = 0;
  virtual KvCache make_cache(int64_t capacity_tokens, Budget* budget = nullptr) const = 0;

  /// Appends `ids` to the cache and writes the logits of the last token: [vocab_size], or empty where none are wanted.
  virtual void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
  /// The same with the logits of every token: [ids.size(), vocab_size]. For perplexity and divergence.
  virtual void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) = 0;
};

/// Borrows `source` and `ops`. Throws Error(mismatch) if the model does not generate text.
std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops);
std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops);

}  // namespace frugal
