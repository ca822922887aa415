// The key-value cache of a decoder: keys and values of the tokens processed so far, so that each token is processed
// once. It holds one sequence in memory; model/generate/prefix_cache.h keeps its rows on disk for later processes.
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

/// Element type of keys and values. f16 takes half the bytes of f32; int8, with a scale for each token and head, takes
/// slightly more than a quarter. automatic: f16 if the backend supports it, else f32.
enum class KvType { automatic, f32, f16, int8 };
constexpr std::array<Named<KvType>, 4> names_of(KvType) {
  return {{{KvType::automatic, "auto"}, {KvType::f32, "f32"}, {KvType::f16, "f16"}, {KvType::int8, "int8"}}};
}

/// Shape of the keys and values of a model.
struct KvShape {
  int64_t layers = 0;
  int64_t heads = 0;  // key-value heads
  int64_t head_dim = 0;
  KvType type = KvType::f32;
};

/// For each layer, keys and values [length, heads · head_dim] in a backend's memory. The cache grows by a few tokens at
/// a time, and reserves each step as kv_cache in the budget first, so unused capacity takes no memory. Must not outlive
/// `ops` and `budget`. Not thread-safe.
class KvCache {
 public:
  /// capacity: in tokens. Throws Error(usage) if the backend does not support the type.
  KvCache(Ops& ops, const KvShape& shape, int64_t capacity, Budget& budget);
  int64_t length() const { return length_; }      // in tokens
  int64_t capacity() const { return capacity_; }  // in tokens
  /// The position of the next token: length(), unless rows before it share positions, as those of an image may.
  int64_t next_position() const { return length_ + shift_; }
  /// The next token has this position, not above length().
  void set_next_position(int64_t position);
  /// Removes the tokens from row `length` on: all of them if there are rows among them that share positions.
  void truncate(int64_t length);
  /// Makes room for `tokens` more. Throws Error(bad_input) beyond the capacity, Error(over_budget) beyond the budget;
  /// the cache is then unchanged, and the call may be repeated.
  void extend(int64_t tokens);
  /// Throws as extend(tokens) would now, without growing: a check before a long prefill.
  void check_room(int64_t tokens) const;
  /// Adds `tokens` to the length. Call it when every layer has stored their rows.
  void advance(int64_t tokens) { length_ += tokens; }

  /// Buffers for a layer's keys and values of the next `tokens` tokens, f32 [tokens, heads · head_dim]. They lie in the
  /// cache, or in the backend's working memory until store() converts them. extend() must have made room.
  struct Fresh {
    View keys, values;
  };
  Fresh fresh_rows(int64_t layer, int64_t tokens);
  /// Takes over the rows that the layer wrote into its buffers.
  void store(int64_t layer, const Fresh& fresh);
  /// Ops::attention of `q` over a layer's keys and values, including those stored since the last advance(). The key and
  /// value rows of `spans` count from the first token of the cache.
  void attend(int64_t layer, const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View out);

  /// Identifies everything that the bits of a row depend on besides the model and its tokens. Empty if the backend does
  /// not guarantee equal bits (Ops::value_identity): other processes cannot use the rows.
  std::string row_identity() const;
  uint64_t bytes_per_token() const;
  /// Copies rows [first, first + tokens) of every layer as they lie in memory: keys, values, then scales if int8.
  /// to: tokens · bytes_per_token() bytes.
  void save(int64_t first, int64_t tokens, std::span<std::byte> to) const;
  /// Appends rows that save() copied. Throws as extend() does.
  void append(int64_t tokens, std::span<const std::byte> from);

 private:
  // One array of a layer: [allocated, cols].
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
  int64_t shift_ = 0;          // of positions against rows; not positive
  int64_t shifted_until_ = 0;  // the length when it changed last
  // The same in every layer: keys, values; if int8 then the scales of the keys and those of the values.
  std::vector<Plane> planes_;
  std::unique_ptr<KvRows> rows_;  // plane p of layer l is array l · planes_.size() + p
};

}  // namespace frugal
