#include "compute/ops/ops.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "memory/allocation_trace.h"
#include "memory/budget.h"
#include "memory/growing_arrays.h"
#include "memory/page_pool.h"

namespace frugal {

namespace {

// Rows in the memory of this process, which never move.
class PooledRows final : public KvRows {
 public:
  PooledRows(PagePool& pool, std::span<const uint64_t> row_bytes, int64_t capacity)
      : row_bytes_(row_bytes.begin(), row_bytes.end()), arrays_(pool, bytes_of(capacity)), recorded_(row_bytes.size()) {
    if (AllocationRecorder* recorder = AllocationRecorder::active())
      for (uint64_t& id : recorded_) id = recorder->allocated(MemoryTag::kv_cache, 0);
  }
  PooledRows(const PooledRows&) = delete;
  PooledRows& operator=(const PooledRows&) = delete;
  ~PooledRows() override {
    if (AllocationRecorder* recorder = AllocationRecorder::active())
      for (const uint64_t id : recorded_) recorder->freed(id);
  }

  void grow_to(int64_t rows) override {
    const std::vector<uint64_t> bytes = bytes_of(rows);
    arrays_.grow_to(bytes, kName);
    if (AllocationRecorder* recorder = AllocationRecorder::active())
      for (size_t i = 0; i < bytes.size(); ++i) recorder->grown(recorded_[i], bytes[i]);
  }

  void check_room(int64_t rows) const override { arrays_.check_room(bytes_of(rows), kName); }

  std::byte* row(size_t array, int64_t row) const override {
    return arrays_.data(array) + static_cast<uint64_t>(row) * row_bytes_[array];
  }

 private:
  std::vector<uint64_t> bytes_of(int64_t rows) const {
    std::vector<uint64_t> bytes;
    for (const uint64_t one : row_bytes_) bytes.push_back(static_cast<uint64_t>(rows) * one);
    return bytes;
  }

  static constexpr std::string_view kName = "key-value cache";
  std::vector<uint64_t> row_bytes_;
  GrowingArrays arrays_;
  std::vector<uint64_t> recorded_;
};

}  // namespace

void check_attention(const AttentionSpec& spec) {
  FRUGAL_CHECK(spec.num_kv_heads > 0 && spec.num_heads % spec.num_kv_heads == 0);
  FRUGAL_CHECK(spec.window >= 0 && spec.soft_cap >= 0);
  if (spec.relative_bias.empty()) return;
  FRUGAL_CHECK(int64_t(spec.relative_bias.size()) == spec.num_heads * (2 * spec.bias_reach() + 1));
}

std::unique_ptr<KvRows> Ops::allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity, Budget& budget) {
  return std::make_unique<PooledRows>(budget.pool(MemoryTag::kv_cache), row_bytes, capacity);
}

void Ops::quantize_kv(View, const QuantizedKv&) {
  throw Error(Code::internal, fmt::format("{}: keys and values are f32 only", name()));
}

void Ops::attention_quantized_kv(const AttentionSpec&, std::span<const AttentionSpan>, View, const QuantizedKv&,
                                 const QuantizedKv&, View) {
  throw Error(Code::internal, fmt::format("{}: keys and values are f32 only", name()));
}

}  // namespace frugal
