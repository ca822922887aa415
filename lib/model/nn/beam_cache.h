// Keys and values of an encoder-decoder's decoder: those of the source, computed once by encode(), and those of the
// texts that are written from it, one for each beam of the search. All texts have the same length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/nn/kv_cache.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Must not outlive `ops` and `budget`. Not thread-safe.
class BeamCache {
 public:
  /// capacity: tokens of each text. Throws as the constructor of KvCache.
  BeamCache(Ops& ops, const KvShape& shape, int64_t source_tokens, int64_t beams, int64_t capacity, Budget& budget);

  int64_t beams() const { return int64_t(texts_.size()); }
  int64_t length() const { return texts_.front().length(); }  // tokens of each text
  int64_t capacity() const { return texts_.front().capacity(); }
  /// Keys and values of the source.
  KvCache& source() { return source_; }

  // The steps of a forward pass over the next tokens of every text, as those of KvCache. Rows lie text by text.
  void extend(int64_t tokens);
  /// Takes over the new keys and values of a layer, and attends to all keys of the same text.
  void attend(int64_t layer, const AttentionSpec& spec, View q, View k, View v, View out);
  /// Attends to the keys of the source.
  void attend_source(int64_t layer, const AttentionSpec& spec, View q, View out);
  /// ids: the new tokens, text by text.
  void advance(std::span<const TokenId> ids);

  /// Text i becomes a copy of text parents[i]. Rows that both have in common are not copied.
  void reorder(std::span<const size_t> parents);

 private:
  Ops* ops_;
  KvCache source_;
  std::vector<KvCache> texts_;
  std::vector<std::vector<TokenId>> ids_;  // of each text
};

}  // namespace frugal
