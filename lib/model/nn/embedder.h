// Text to a unit vector, by an encoder with pooling (BERT and cousins).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/nn/model.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Not thread-safe: one forward at a time (it owns working memory in its Ops).
class Embedder : public Model {
 public:
  static constexpr ModelKindWords kKind{ModelKind::embedder, "embedder", "is not an embedder",
                                        "give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder"};
  ModelKind kind() const final { return kKind.kind; }
  std::string identity() const final { return fingerprint(); }

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

}  // namespace frugal
