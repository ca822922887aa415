#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "nn/decoder.h"

namespace frugal {
namespace {

constexpr int64_t kGrowTokens = 256;

}  // namespace

KvCache::KvCache(int64_t layers, int64_t kv_features, int64_t capacity, Budget* budget)
    : kv_features_(kv_features), capacity_(capacity), budget_(budget), layers_(static_cast<size_t>(layers)) {
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
    layer.keys.resize(static_cast<size_t>(grown * kv_features_));
    layer.values.resize(static_cast<size_t>(grown * kv_features_));
  }
  allocated_ = grown;
}

View KvCache::keys(int64_t layer) {
  return View(layers_[static_cast<size_t>(layer)].keys.data(), DType::f32, Shape{allocated_, kv_features_});
}

View KvCache::values(int64_t layer) {
  return View(layers_[static_cast<size_t>(layer)].values.data(), DType::f32, Shape{allocated_, kv_features_});
}

}  // namespace frugal
