#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "nn/decoder.h"

namespace frugal {
namespace {

constexpr int64_t kGrowTokens = 256;

}  // namespace

KvCache::KvCache(Ops& ops, int64_t layers, int64_t kv_features, int64_t capacity, Budget* budget)
    : ops_(&ops),
      kv_features_(kv_features),
      capacity_(capacity),
      budget_(budget),
      layers_(static_cast<size_t>(layers)) {
  FRUGAL_CHECK(layers > 0 && kv_features > 0 && capacity > 0);
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
  if (budget_) {
    const uint64_t bytes =
        static_cast<uint64_t>((grown - allocated_) * kv_features_) * 2 * sizeof(float) * layers_.size();
    reservations_.push_back(budget_->reserve(MemoryTag::kv_cache, bytes, "key-value cache"));
  }
  for (Layer& layer : layers_) {
    layer.keys = grown_copy(layer.keys, grown);
    layer.values = grown_copy(layer.values, grown);
  }
  allocated_ = grown;
}

std::string KvCache::row_identity() const {
  const std::string values = ops_->value_identity();
  return values.empty() ? std::string() : fmt::format("{} f32 {} x {}", values, layers_.size(), kv_features_);
}

void KvCache::save(int64_t first, int64_t tokens, std::span<std::byte> to) const {
  FRUGAL_CHECK(first >= 0 && tokens > 0 && first + tokens <= length_);
  FRUGAL_CHECK(to.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  float* rows = reinterpret_cast<float*>(to.data());
  const auto count = static_cast<size_t>(tokens * kv_features_);
  for (const Layer& layer : layers_)
    for (const Memory* memory : {&layer.keys, &layer.values}) {
      ops_->download(matrix(*memory).slice_rows(first, tokens), std::span(rows, count));
      rows += count;
    }
}

void KvCache::append(int64_t tokens, std::span<const std::byte> from) {
  FRUGAL_CHECK(tokens > 0 && from.size() == static_cast<uint64_t>(tokens) * bytes_per_token());
  extend(tokens);
  const float* rows = reinterpret_cast<const float*>(from.data());
  const auto count = static_cast<size_t>(tokens * kv_features_);
  for (const Layer& layer : layers_)
    for (const Memory* memory : {&layer.keys, &layer.values}) {
      ops_->upload(std::span(rows, count), matrix(*memory).slice_rows(length_, tokens));
      rows += count;
    }
  advance(tokens);
}

KvCache::Memory KvCache::grown_copy(const Memory& old, int64_t tokens) const {
  Memory memory = ops_->hold(static_cast<uint64_t>(tokens * kv_features_) * sizeof(float));
  if (length_ > 0) {
    const Shape seen{length_, kv_features_};
    ops_->copy(View(old.get(), DType::f32, seen), View(memory.get(), DType::f32, seen));
  }
  return memory;
}

}  // namespace frugal
