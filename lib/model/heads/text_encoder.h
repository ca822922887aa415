// An encoder of token sequences: the trunk that embedders (encoder_embedder.h) and rankers (encoder_ranker.h) share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/ops/ops.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Tokens of one forward pass: enough rows to keep the kernels busy, few enough that the widest activation stays near
/// the caches (1,024 · 1,536 floats are 6 MiB).
inline constexpr int64_t kTokensPerForward = 1024;

/// Sequences that are encoded together, without padding.
struct TokenBatch {
  std::vector<int32_t> ids, positions, types;
  std::vector<AttentionSpan> spans;

  /// Adds a sequence whose tokens from `second` on are of type 1, those of the second text of a pair.
  void append(std::span<const TokenId> sequence, size_t second);
};

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  virtual int64_t hidden() const = 0;
  /// The longest sequence, in tokens.
  virtual int64_t max_tokens() const = 0;
  /// True if the tokens of a pair's second text have another type than those of the first.
  virtual bool has_types() const = 0;
  /// Throws Error(corrupt_file) for an id outside the vocabulary, and Error(bad_input) if there are no ids, or more
  /// than max_tokens().
  virtual void check_ids(std::span<const TokenId> ids) const = 0;
  /// The states of the last layer, [tokens, hidden], in the caller's scope.
  virtual View encode(const TokenBatch& batch) = 0;
  /// Those of the first token of each sequence alone, [sequences, hidden], in the caller's scope: all that a model with
  /// [CLS] pooling needs, without most of the last layer's work.
  virtual View encode_firsts(const TokenBatch& batch) = 0;
};

/// One vector for each sequence, [sequences, hidden], in the caller's scope.
View encode_pooled(Ops& ops, TextEncoder& encoder, Pooling pooling, const TokenBatch& batch);

}  // namespace frugal
