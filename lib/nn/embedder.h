// Text to a unit vector, by an encoder with pooling (BERT and cousins).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/pack.h"
#include "nn/model_source.h"
#include "ops/ops.h"
#include "text/tokenizer.h"

namespace frugal {

class ThreadPool;

/// Not thread-safe: one forward at a time (it owns working memory in its Ops).
class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual int64_t dimension() const = 0;
  /// Longest input in tokens, template tokens included; longer texts are cut.
  virtual int64_t max_tokens() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Names model, pooling, prompts and dtype: vectors of different fingerprints must not be mixed.
  virtual std::string fingerprint() const = 0;
  /// Unit vectors, [texts.size(), dimension] row-major. The result of a text does not depend on its neighbours beyond
  /// the last float bits.
  virtual void embed(std::span<const std::string_view> texts, std::span<float> out) = 0;
  /// Hidden states of one text before pooling, [tokens, hidden]: for tests and for the reader to come.
  virtual std::vector<float> hidden_states(std::span<const TokenId> ids) = 0;
};

/// Borrows `source` and `ops`. Throws Error(mismatch) if the model is not an encoder.
std::unique_ptr<Embedder> open_embedder(const ModelSource& source, Ops& ops);
std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops);

/// The same, and many texts at once are shared out: each thread of `threads` runs forwards of its own. `ops` is for few
/// texts; it must run on `threads`. Borrows all; `budget` may be null.
std::unique_ptr<Embedder> open_bulk_embedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget* budget);

}  // namespace frugal
