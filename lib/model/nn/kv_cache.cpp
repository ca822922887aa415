// A layer has planes: arrays with a row for each token. f32 and f16 have two, keys and values. int8 has four, because
// each row of codes comes with a row of scales, one for each head. The planes of all layers are arrays of one KvRows
// object of the backend, which grows them together.
//
// Three counts of tokens, length_ <= allocated_ <= capacity_: tokens that are complete in every layer, rows that have
// memory, and the limit. A forward pass over n tokens goes like this:
//
//   extend(n)                 the only step in which the cache grows
//   in each layer:
//     fresh_rows(n)           where the layer writes its new keys and values, in f32
//     store()                 converts them to the type of the cache
//     attend()                reads all rows, the new ones included
//   advance(n)                the tokens count from here on
//
// Until advance() the new rows lie beyond length_, so a pass that throws leaves the cache as it was.
//
// In f32 the fresh rows lie in the cache itself, and store() does nothing. In the other types they lie in the backend's
// working memory, and store() quantises them into the cache. attend() reads the quantised rows even for the tokens of
// its own pass, so it makes no difference whether a key was computed in this pass or in an earlier one
// (docs/design/0024).
//
// save() and append() move rows as they lie in memory. Rows of f32 go through Ops::download() and upload(), because
// they may lie on a device. Other types exist only on backends that compute in the host's memory, and are copied.
#include "model/nn/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"

namespace frugal {
namespace {

// The cache grows by this many tokens: 350 KiB of SmolLM2-135M in f16. A step takes a tenth of a millisecond, about a
// hundredth of the time that one of its tokens takes to compute.
constexpr int64_t kGrowTokens = 16;

// Planes of a layer. The scales of the values follow those of the keys.
constexpr size_t kKeys = 0, kValues = 1, kScales = 2;

KvType choose_type(const Ops& ops, KvType asked) {
  const bool quantized = ops.has_quantized_kv();
  if (asked == KvType::automatic) return quantized ? KvType::f16 : KvType::f32;
  if (asked != KvType::f32 && !quantized)
    throw Error(Code::usage, fmt::format("{}: the backend has no key-value cache in {}", ops.name(), to_string(asked)))
        .hint("leave generate.kv_dtype at auto, or use --backend cpu");
  return asked;
}

DType element_type(KvType type) {
  return type == KvType::int8 ? DType::i8 : type == KvType::f16 ? DType::f16 : DType::f32;
}

}  // namespace

KvCache::KvCache(Ops& ops, const KvShape& shape, int64_t capacity, Budget& budget)
    : ops_(&ops), shape_(shape), capacity_(capacity) {
  FRUGAL_CHECK(shape.layers > 0 && shape.heads > 0 && shape.head_dim > 0 && capacity > 0);
  shape_.type = choose_type(ops, shape.type);
  const Plane rows{element_type(shape_.type), shape.heads * shape.head_dim}, scales{DType::f32, shape.heads};
  planes_ = {rows, rows};
  if (shape_.type == KvType::int8) planes_.insert(planes_.end(), {scales, scales});
  std::vector<uint64_t> row_bytes;
  for (int64_t layer = 0; layer < shape.layers; ++layer)
    for (const Plane& plane : planes_) row_bytes.push_back(plane.row_bytes());
  rows_ = ops.allocate_kv_rows(row_bytes, capacity, budget);
}

void KvCache::truncate(int64_t length) {
  FRUGAL_CHECK(length >= 0 && length <= length_ && (length == 0 || length >= shifted_until_));
  length_ = length;
  if (length == 0) shift_ = shifted_until_ = 0;
}

void KvCache::set_next_position(int64_t position) {
  FRUGAL_CHECK(position >= 0 && position <= length_);
  shift_ = position - length_;
  shifted_until_ = length_;
}

// Rows to allocate so that `tokens` more fit.
int64_t KvCache::rows_for(int64_t tokens) const {
  FRUGAL_CHECK(tokens >= 0);
  const int64_t needed = length_ + tokens;
  if (needed > capacity_)
    throw Error(Code::bad_input, fmt::format("{} tokens do not fit a context of {}", needed, capacity_))
        .hint("request fewer new tokens, or retrieve fewer chunks (--top-k)");
  return std::min(capacity_, ceil_div(needed, kGrowTokens) * kGrowTokens);
}

void KvCache::check_room(int64_t tokens) const {
  rows_->check_room(std::max(allocated_, rows_for(tokens)));
}

void KvCache::extend(int64_t tokens) {
  const int64_t grown = rows_for(tokens);
  if (grown <= allocated_) return;
  rows_->grow_to(grown);
  allocated_ = grown;
}

KvCache::Fresh KvCache::fresh_rows(int64_t layer, int64_t tokens) {
  FRUGAL_CHECK(length_ + tokens <= allocated_);
  if (shape_.type == KvType::f32) return {view(layer, kKeys, length_, tokens), view(layer, kValues, length_, tokens)};
  const Shape shape{tokens, shape_.heads * shape_.head_dim};
  const View keys = ops_->allocate(shape);
  return {keys, ops_->allocate(shape)};
}

void KvCache::store(int64_t layer, const Fresh& fresh) {
  if (shape_.type == KvType::f32) return;  // the layer wrote into the cache
  ops_->quantize_kv(fresh.keys, quantized_kv(layer, kKeys, length_, fresh.keys.rows()));
  ops_->quantize_kv(fresh.values, quantized_kv(layer, kValues, length_, fresh.values.rows()));
}

void KvCache::attend(int64_t layer, const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View out) {
  if (shape_.type != KvType::f32)
    ops_->attention_quantized_kv(spec, spans, q, quantized_kv(layer, kKeys, 0, allocated_),
                                 quantized_kv(layer, kValues, 0, allocated_), out);
  else
    ops_->attention(spec, spans, q, view(layer, kKeys, 0, allocated_), view(layer, kValues, 0, allocated_), out);
}

std::string KvCache::row_identity() const {
  const std::string values = ops_->value_identity();
  if (values.empty()) return {};
  return fmt::format("{} {} {} x {} x {}", values, to_string(shape_.type), shape_.layers, shape_.heads,
                     shape_.head_dim);
}

uint64_t KvCache::bytes_per_token() const {
  uint64_t bytes = 0;
  for (const Plane& plane : planes_) bytes += plane.row_bytes();
  return bytes * static_cast<uint64_t>(shape_.layers);
}

void KvCache::save(int64_t first, int64_t tokens, std::span<std::byte> to) const {
  FRUGAL_CHECK(first >= 0 && tokens > 0 && first + tokens <= length_);
  FRUGAL_CHECK(to.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  for (int64_t layer = 0; layer < shape_.layers; ++layer)
    for (size_t plane = 0; plane < planes_.size(); ++plane) {
      const View rows = view(layer, plane, first, tokens);
      const size_t bytes = static_cast<size_t>(tokens) * planes_[plane].row_bytes();
      if (rows.dtype == DType::f32)
        ops_->download(rows, {reinterpret_cast<float*>(to.data()), bytes / sizeof(float)});
      else
        std::memcpy(to.data(), rows.data, bytes);
      to = to.subspan(bytes);
    }
}

void KvCache::append(int64_t tokens, std::span<const std::byte> from) {
  FRUGAL_CHECK(tokens > 0 && from.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  extend(tokens);
  for (int64_t layer = 0; layer < shape_.layers; ++layer)
    for (size_t plane = 0; plane < planes_.size(); ++plane) {
      const View rows = view(layer, plane, length_, tokens);
      const size_t bytes = static_cast<size_t>(tokens) * planes_[plane].row_bytes();
      if (rows.dtype == DType::f32)
        ops_->upload({reinterpret_cast<const float*>(from.data()), bytes / sizeof(float)}, rows);
      else
        std::memcpy(rows.data, from.data(), bytes);
      from = from.subspan(bytes);
    }
  advance(tokens);
}

View KvCache::view(int64_t layer, size_t plane, int64_t first, int64_t tokens) const {
  const size_t array = static_cast<size_t>(layer) * planes_.size() + plane;
  return View(rows_->row(array, first), planes_[plane].dtype, Shape{tokens, planes_[plane].cols});
}

QuantizedKv KvCache::quantized_kv(int64_t layer, size_t which, int64_t first, int64_t tokens) const {
  if (shape_.type == KvType::f16) return {view(layer, which, first, tokens), {}};
  return {view(layer, which, first, tokens), view(layer, kScales + which, first, tokens)};
}

}  // namespace frugal
