#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "nn/decoder.h"

namespace frugal {
namespace {

constexpr int64_t kGrowTokens = 256;

// Planes of a layer.
constexpr size_t kKeys = 0, kValues = 1, kScales = 2;  // the scales of keys and values follow their codes

}  // namespace

std::string_view to_string(KvType type) {
  return type == KvType::int8 ? "int8" : "f32";
}

KvType parse_kv_type(std::string_view name) {
  for (const KvType type : {KvType::f32, KvType::int8})
    if (name == to_string(type)) return type;
  throw Error(Code::usage, fmt::format("'{}' is no type of a key-value cache", name)).hint("f32 or int8");
}

KvCache::KvCache(Ops& ops, const KvShape& shape, int64_t capacity, Budget* budget)
    : ops_(&ops), shape_(shape), capacity_(capacity), budget_(budget) {
  FRUGAL_CHECK(shape.layers > 0 && shape.heads > 0 && shape.head_dim > 0 && capacity > 0);
  const bool int8 = shape.type == KvType::int8;
  if (int8 && !ops.has_quantized_heads())
    throw Error(Code::usage, fmt::format("{}: the backend has no key-value cache in int8", ops.name()))
        .hint("leave generate.kv_dtype at f32, or use --backend cpu");
  const int64_t features = shape.heads * shape.head_dim;
  const Plane rows{nullptr, int8 ? DType::i8 : DType::f32, features}, scales{nullptr, DType::f32, shape.heads};
  layers_.assign(static_cast<size_t>(shape.layers), int8 ? Layer{rows, rows, scales, scales} : Layer{rows, rows});
}

void KvCache::truncate(int64_t length) {
  FRUGAL_CHECK(length >= 0 && length <= length_);
  length_ = length;
}

void KvCache::extend(int64_t tokens) {
  FRUGAL_CHECK(tokens >= 0);
  const int64_t needed = length_ + tokens;
  if (needed > capacity_)
    throw Error(Code::bad_input, fmt::format("{} tokens do not fit a context of {}", needed, capacity_))
        .hint("ask for fewer new tokens, or give less context (--top-k)");
  if (needed <= allocated_) return;
  const int64_t grown = std::min(
      capacity_, std::max((needed + kGrowTokens - 1) / kGrowTokens * kGrowTokens, allocated_ + allocated_ / 2));
  if (budget_)
    reservations_.push_back(budget_->reserve(
        MemoryTag::kv_cache, static_cast<uint64_t>(grown - allocated_) * bytes_per_token(), "key-value cache"));
  for (Layer& layer : layers_)
    for (Plane& plane : layer) {
      const Plane old = plane;
      plane.memory = ops_->hold(static_cast<uint64_t>(grown) * plane.row_bytes());
      if (length_ > 0) copy_rows(view(old, 0, length_), view(plane, 0, length_));
    }
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
  if (shape_.type == KvType::f32) return;  // they are where they belong
  ops_->quantize_heads(fresh.keys, quantized(layer, kKeys, length_, fresh.keys.rows()));
  ops_->quantize_heads(fresh.values, quantized(layer, kValues, length_, fresh.values.rows()));
}

void KvCache::attend(int64_t layer, const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View out) {
  if (shape_.type == KvType::int8)
    ops_->attention_quantized(spec, spans, q, quantized(layer, kKeys, 0, allocated_),
                              quantized(layer, kValues, 0, allocated_), out);
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
  for (const Plane& plane : layers_.front()) bytes += plane.row_bytes();
  return bytes * layers_.size();
}

void KvCache::save(int64_t first, int64_t tokens, std::span<std::byte> to) const {
  FRUGAL_CHECK(first >= 0 && tokens > 0 && first + tokens <= length_);
  FRUGAL_CHECK(to.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  for (const Layer& layer : layers_)
    for (const Plane& plane : layer) {
      const View rows = view(plane, first, tokens);
      const size_t bytes = static_cast<size_t>(tokens) * plane.row_bytes();
      if (plane.dtype == DType::f32)
        ops_->download(rows, {reinterpret_cast<float*>(to.data()), bytes / sizeof(float)});
      else
        std::memcpy(to.data(), rows.data, bytes);
      to = to.subspan(bytes);
    }
}

void KvCache::append(int64_t tokens, std::span<const std::byte> from) {
  FRUGAL_CHECK(tokens > 0 && from.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  extend(tokens);
  for (const Layer& layer : layers_)
    for (const Plane& plane : layer) {
      const View rows = view(plane, length_, tokens);
      const size_t bytes = static_cast<size_t>(tokens) * plane.row_bytes();
      if (plane.dtype == DType::f32)
        ops_->upload({reinterpret_cast<const float*>(from.data()), bytes / sizeof(float)}, rows);
      else
        std::memcpy(rows.data, from.data(), bytes);
      from = from.subspan(bytes);
    }
  advance(tokens);
}

View KvCache::view(const Plane& plane, int64_t first, int64_t tokens) const {
  std::byte* row = plane.memory.get() + static_cast<uint64_t>(first) * plane.row_bytes();
  return View(row, plane.dtype, Shape{tokens, plane.cols});
}

View KvCache::view(int64_t layer, size_t plane, int64_t first, int64_t tokens) const {
  return view(layers_[static_cast<size_t>(layer)][plane], first, tokens);
}

QuantizedHeads KvCache::quantized(int64_t layer, size_t which, int64_t first, int64_t tokens) const {
  return {view(layer, which, first, tokens), view(layer, kScales + which, first, tokens)};
}

// Codes are in the memory of the process: a backend of another memory has none.
void KvCache::copy_rows(View from, View to) const {
  if (from.dtype == DType::f32)
    ops_->copy(from, to);
  else
    std::memcpy(to.data, from.data, static_cast<size_t>(from.shape.elements()));
}

}  // namespace frugal
