// The keys and values that a decoder has computed, so that a token is read once.
// Not a cache between processes: that is model/generate/prefix_cache.h, which saves and appends these rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "compute/ops/ops.h"
#include "memory/budget.h"

namespace frugal {

/// How a cache holds keys and values: f16 in half of f32; int8, with a scale for each token and head, in a quarter and
/// a bit; automatic: f16 where the backend has it, else f32.
enum class KvType { automatic, f32, f16, int8 };
constexpr std::array<Named<KvType>, 4> names_of(KvType) {
  return {{{KvType::automatic, "auto"}, {KvType::f32, "f32"}, {KvType::f16, "f16"}, {KvType::int8, "int8"}}};
}

/// What the keys and values of one layer look like.
struct KvShape {
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  KvType type = KvType::f32;
};

/// Keys and values of the tokens seen so far, for each layer [capacity, heads · head_dim], in the memory of a backend.
/// Grows by a few tokens at a time, each step reserved as kv_cache before it is taken, so that neither a long context
/// nor an answer that may be long costs what is not used. Must not outlive `ops` and `budget`.
class KvCache {
 public:
  /// Throws Error(usage) for a type that the backend does not have.
  KvCache(Ops& ops, const KvShape& shape, int64_t capacity, Budget& budget);
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  /// Forgets the tokens from `length` on.
  void truncate(int64_t length);
  /// Makes room for `tokens` more. Throws Error(bad_input) beyond the capacity, Error(over_budget); the cache is then
  /// as it was, and may be asked again.
  void extend(int64_t tokens);
  /// Throws as extend(tokens) would now, so that a long read is not begun in vain.
  void check_room(int64_t tokens) const;
  void advance(int64_t tokens) { length_ += tokens; }

  /// Where a layer writes the keys and values of the next `tokens` tokens, f32 [tokens, heads · head_dim]: in the
  /// cache, or in the backend's working memory until store() takes them over. There must be room.
  struct Fresh {
    View keys, values;
  };
  Fresh fresh_rows(int64_t layer, int64_t tokens);
  void store(int64_t layer, const Fresh& fresh);
  /// Ops::attention of `q` over the keys and values of a layer that `spans` name, stored ones that are not yet advanced
  /// over included.
  void attend(int64_t layer, const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View out);

  /// Names everything that the bits of a row depend on but the model and its tokens; empty where the backend promises
  /// nothing (Ops::value_identity): such rows are of no use to another process.
  std::string row_identity() const;
  uint64_t bytes_per_token() const;
  /// Rows [first, first + tokens) of every layer, its keys and then its values, as they lie in memory.
  /// to: tokens · bytes_per_token().
  void save(int64_t first, int64_t tokens, std::span<std::byte> to) const;
  /// Appends rows that save() gave. Throws as extend() does.
  void append(int64_t tokens, std::span<const std::byte> from);

 private:
  // One matrix of a layer: [allocated, cols].
  struct Plane {
    DType dtype = DType::f32;
    int64_t cols = 0;
    uint64_t row_bytes() const { return static_cast<uint64_t>(cols) * element_bytes(dtype); }
  };

  int64_t rows_for(int64_t tokens) const;
  View view(int64_t layer, size_t plane, int64_t first, int64_t tokens) const;
  QuantizedKv quantized_kv(int64_t layer, size_t which, int64_t first, int64_t tokens) const;

  Ops* ops_;
  KvShape shape_;
  int64_t capacity_, allocated_ = 0, length_ = 0;
  // Of every layer: { keys, values }; int8: { codes of the keys, of the values, scales of the keys, of the values }.
  std::vector<Plane> planes_;
  std::unique_ptr<KvRows> rows_;  // array layer · planes + plane
};

}  // namespace frugal
