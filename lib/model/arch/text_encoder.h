// An encoder of token sequences: the trunk that embedders (encoder_embedder.h) and rankers (encoder_ranker.h) share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "compute/ops/ops.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Sequences that are encoded together, without padding.
struct TokenBatch {
  std::vector<int32_t> ids, positions, types;
  std::vector<AttentionSpan> spans;

  /// Adds a sequence whose tokens from `second` on are of type 1, those of the second text of a pair.
  void append(std::span<const TokenId> sequence, size_t second);
};

/// Throws Error(corrupt_file) for an id outside the vocabulary of the model in `file`, and Error(bad_input) if there
/// are no ids, or more than `max_tokens`.
void check_token_ids(std::span<const TokenId> ids, int64_t vocab, int64_t max_tokens,
                     const std::filesystem::path& file);

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  virtual int64_t hidden() const = 0;
  /// The longest sequence, in tokens.
  virtual int64_t max_tokens() const = 0;
  /// True if the tokens of a pair's second text have another type than those of the first.
  virtual bool has_types() const = 0;
  /// As check_token_ids().
  virtual void check_ids(std::span<const TokenId> ids) const = 0;
  /// The states of the last layer, [tokens, hidden], in the caller's scope.
  virtual View encode(const TokenBatch& batch) = 0;
  /// Those of the first token of each sequence alone, [sequences, hidden], in the caller's scope: all that a model with
  /// [CLS] pooling needs, without most of the last layer's work.
  virtual View encode_firsts(const TokenBatch& batch) = 0;
};

}  // namespace frugal
