// A backend that computes nothing and counts: what a forward pass would allocate and which pages of the weights it
// would read. An architecture runs on it as it runs on the native backend, so an estimate follows the code and has no
// formula of its own to go stale. Values are zero; nothing that a tensor holds is read.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "compute/ops/ops.h"
#include "measure/profile/lifetime_plan.h"
#include "memory/arena.h"
#include "memory/budget.h"

namespace frugal {

/// The size of a page, by which memory is counted; bytes.
inline constexpr uint64_t kPageBytes = 4096;

/// Anonymous bytes by what they are for, in whole pages where memory comes in pages.
struct WorkingMemory {
  uint64_t kv_cache_bytes = 0;    // of memory that outlives a forward: the rows that were written
  uint64_t activation_bytes = 0;  // the arena, with quantised rows and attention's scratch
  uint64_t table_bytes = 0;       // rotary positions; kept by the model
  uint64_t result_bytes = 0;      // the caller's buffer that results are copied to
  uint64_t total_bytes() const { return kv_cache_bytes + activation_bytes + table_bytes + result_bytes; }
};

/// One use of the arena, from empty to empty.
struct ForwardPass {
  std::vector<TensorLifetime> tensors;  // from their first operation to their last, not to the end of their scope
  uint64_t arena_bytes = 0;             // what they took at most, laid out by their scopes
  uint64_t scratch_bytes = 0;  // the most that one operation took for itself: quantised rows, attention's tiles
};

/// As the native backend on `threads` threads. Views it gives out point to memory that must not be read or written.
class CountingOps final : public ForwardingOps {
 public:
  explicit CountingOps(int threads);
  ~CountingOps() override;

  /// Counts reads of this mapping, in the windows that the kernel maps at a fault.
  void watch(std::span<const std::byte> mapping) { mapping_ = mapping; }
  /// Pages of the mapping that were read so far.
  uint64_t mapped_bytes() const;
  /// The token that has the highest logit after every forward pass.
  void set_argmax(int32_t token) { argmax_ = token; }
  /// At the moment when most was in use.
  const WorkingMemory& peak() const { return peak_; }
  WorkingMemory now() const;
  /// Of the passes that are over, the one that took most of the arena.
  const ForwardPass& widest_pass() const { return widest_pass_; }

  std::string_view name() const override { return "counting"; }
  /// The native backend has one, so prompts are read in the same pieces.
  std::string value_identity() const override { return "counting"; }
  Weight prepare(const PackedWeight& weight) override;
  Weight prepare(const WeightRows& weight) override;
  View allocate(Shape shape) override;
  std::unique_ptr<KvRows> allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                           Budget& budget) override;
  bool has_quantized_kv() const override { return true; }
  void download(View from, std::span<float> to) override;
  void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
             bool accumulate) override;
  void embed(Weight table, std::span<const int32_t> ids, View out) override;
  void linear(const LinearSpec& spec, View x, View out, View residual) override;
  void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) override;
  void norm(const NormSpec& spec, View x, View out) override;
  void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads, int64_t head_dim) override;
  void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                 View out) override;
  void attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                              const QuantizedKv& k, const QuantizedKv& v, View out) override;

 protected:
  void on_operation(std::span<const View> reads, std::span<const View> writes) override;
  void begin_scope() override { scopes_.push_back(arena_.mark()); }
  void end_scope() noexcept override;

 private:
  struct Held;  // memory of hold(): its pages that were written
  using Pages = std::set<uintptr_t>;
  // A tensor that its scope still holds.
  struct Tensor {
    std::byte* begin;
    uint64_t end_offset;  // in the arena
    size_t index;         // in pass_.tensors
  };

  const PackedWeight& weight(Weight handle) const;
  void read(const void* data, uint64_t bytes);
  void read(std::span<const float> values) { read(values.data(), values.size_bytes()); }
  void read_weights(std::span<const LinearSpec> specs, View x);
  std::byte* take(uint64_t bytes);
  void take_scratch(uint64_t bytes);
  void write(View view);
  void use(const void* data);
  void note_peak();

  int threads_;
  Arena arena_{Budget::unlimited()};
  std::vector<Arena::Mark> scopes_;  // where the arena stood as each began
  std::vector<Tensor> tensors_;      // in the order of the arena
  int64_t step_ = 0;                 // operations of this pass
  ForwardPass pass_, widest_pass_;
  std::shared_ptr<std::map<uintptr_t, Held>> held_;
  std::vector<PackedWeight> weights_;
  std::span<const std::byte> mapping_;
  std::set<uint64_t> windows_;  // of the mapping, by address
  WorkingMemory sizes_;         // of what is not in pages: tables, results
  WorkingMemory peak_;
  int32_t argmax_ = 0;
};

}  // namespace frugal
