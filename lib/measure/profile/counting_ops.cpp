#include "measure/profile/counting_ops.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "compute/kernels/kernels.h"
#include "memory/budget.h"

namespace frugal {
namespace {

constexpr int64_t kUnused = -1;  // of a tensor without an operation
// A fault on a mapped file maps the pages around it that are in the cache, in aligned windows of this size
// (fault_around_bytes, whose default nobody changes: it takes root and a debug file system).
constexpr uint64_t kWindow = 64 * 1024;

// Pages of [data, data + bytes) that were not in `pages` are added.
void add_pages(std::set<uintptr_t>& pages, const void* data, uint64_t bytes, uint64_t page) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
  for (uintptr_t at = begin / page; at * page < begin + bytes; ++at) pages.insert(at);
}

}  // namespace

struct CountingOps::Held {
  uint64_t bytes = 0;
  Pages written;
};

CountingOps::CountingOps(int threads)
    : ForwardingOps(nullptr), threads_(threads), held_(std::make_shared<std::map<uintptr_t, Held>>()) {}

CountingOps::~CountingOps() = default;

uint64_t CountingOps::mapped_bytes() const {
  // The first and the last window reach beyond the mapping.
  const uintptr_t begin = reinterpret_cast<uintptr_t>(mapping_.data()),
                  end = begin + round_up(mapping_.size(), kPageBytes);
  uint64_t bytes = 0;
  for (const uint64_t window : windows_)
    bytes += std::min<uintptr_t>((window + 1) * kWindow, end) - std::max<uintptr_t>(window * kWindow, begin);
  return bytes;
}

WorkingMemory CountingOps::now() const {
  WorkingMemory memory = sizes_;
  memory.activation_bytes = arena_.capacity_bytes();  // touched as it grows (PagePool::populate)
  for (const auto& [begin, held] : *held_) memory.kv_cache_bytes += held.written.size() * kPageBytes;
  return memory;
}

void CountingOps::note_peak() {
  const WorkingMemory memory = now();
  if (memory.total_bytes() > peak_.total_bytes()) peak_ = memory;
}

Weight CountingOps::prepare(const PackedWeight& weight) {
  weights_.push_back(weight);
  return {static_cast<int64_t>(weights_.size()) - 1, weight.outputs, weight.inputs};
}

// A checkpoint would have to be read to be counted.
Weight CountingOps::prepare(const WeightRows&) {
  throw Error(Code::usage, "a full-precision checkpoint has no estimate").hint("estimate its pack");
}

const PackedWeight& CountingOps::weight(Weight handle) const {
  FRUGAL_CHECK(handle.id >= 0 && handle.id < int64_t(weights_.size()));
  return weights_[static_cast<size_t>(handle.id)];
}

// The arena is the real one, so that it grows as it does in earnest; what nobody writes to costs addresses only.
std::byte* CountingOps::take(uint64_t bytes) {
  std::byte* data = arena_.allocate(bytes);
  tensors_.push_back({data, arena_.mark().offset, pass_.tensors.size()});
  pass_.tensors.push_back({bytes, kUnused, kUnused});
  pass_.arena_bytes = std::max(pass_.arena_bytes, arena_.mark().offset);
  note_peak();
  return data;
}

// An operation's own, from its scope to the end of it.
void CountingOps::take_scratch(uint64_t bytes) {
  pass_.scratch_bytes = std::max(pass_.scratch_bytes, bytes);
  use(take(bytes));
}

void CountingOps::on_operation(std::span<const View> reads, std::span<const View> writes) {
  ++step_;
  for (const View& view : reads) use(view.data);
  for (const View& view : writes) {
    use(view.data);
    if (view) write(view);
  }
}

// A view may begin inside its tensor.
void CountingOps::use(const void* data) {
  const auto holds = [data](const Tensor& tensor) { return data >= tensor.begin; };
  const auto tensor = std::find_if(tensors_.rbegin(), tensors_.rend(), holds);
  if (tensor == tensors_.rend()) return;
  TensorLifetime& lifetime = pass_.tensors[tensor->index];
  if (data >= tensor->begin + lifetime.bytes) return;
  if (lifetime.first == kUnused) lifetime.first = step_;
  lifetime.last = step_;
}

View CountingOps::allocate(Shape shape) {
  return View(take(static_cast<uint64_t>(shape.elements()) * sizeof(float)), DType::f32, shape);
}

void CountingOps::end_scope() noexcept {
  const Arena::Mark mark = scopes_.back();
  scopes_.pop_back();
  arena_.reset(mark);
  while (!tensors_.empty() && tensors_.back().end_offset > mark.offset) tensors_.pop_back();
  if (mark.offset > 0) return;
  std::erase_if(pass_.tensors, [](const TensorLifetime& tensor) { return tensor.first == kUnused; });
  if (pass_.arena_bytes > widest_pass_.arena_bytes) widest_pass_ = std::move(pass_);
  pass_ = {};
  step_ = 0;
}

namespace {

// The real ones, so that they grow as they do in earnest; whoever watches is told when they are gone.
class WatchedRows final : public KvRows {
 public:
  WatchedRows(std::unique_ptr<KvRows> rows, std::function<void()> gone)
      : rows_(std::move(rows)), gone_(std::move(gone)) {}
  ~WatchedRows() override { gone_(); }
  void grow_to(int64_t rows) override { rows_->grow_to(rows); }
  void check_room(int64_t rows) const override { rows_->check_room(rows); }
  std::byte* row(size_t array, int64_t row) const override { return rows_->row(array, row); }

 private:
  std::unique_ptr<KvRows> rows_;
  std::function<void()> gone_;
};

}  // namespace

std::unique_ptr<KvRows> CountingOps::allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                                      Budget& budget) {
  std::unique_ptr<KvRows> rows =
      Ops::allocate_kv_rows(row_bytes, capacity, budget);  // NOLINT(bugprone-parent-virtual-call): no inner backend
  std::vector<uintptr_t> begins;
  for (size_t i = 0; i < row_bytes.size(); ++i) {
    begins.push_back(reinterpret_cast<uintptr_t>(rows->row(i, 0)));
    held_->emplace(begins.back(), Held{static_cast<uint64_t>(capacity) * row_bytes[i], {}});
  }
  return std::make_unique<WatchedRows>(std::move(rows), [held = held_, begins] {
    for (const uintptr_t begin : begins) held->erase(begin);
  });
}

void CountingOps::read(const void* data, uint64_t bytes) {
  const auto* begin = static_cast<const std::byte*>(data);
  if (begin >= mapping_.data() && begin < mapping_.data() + mapping_.size()) add_pages(windows_, data, bytes, kWindow);
}

// Of the arena, every view is counted when it is allocated.
void CountingOps::write(View view) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(view.data);
  auto next = held_->upper_bound(begin);
  if (next == held_->begin()) return;
  auto& [start, held] = *std::prev(next);
  if (begin >= start + held.bytes) return;
  const uint64_t row_bytes = static_cast<uint64_t>(view.cols()) * element_bytes(view.dtype);
  for (int64_t r = 0; r < view.rows(); ++r) add_pages(held.written, view.slice_rows(r, 1).data, row_bytes, kPageBytes);
  note_peak();
}

void CountingOps::download(View from, std::span<float> to) {
  ForwardingOps::download(from, to);
  std::fill(to.begin(), to.end(), 0.0f);
  if (argmax_ >= 0 && static_cast<size_t>(argmax_) < to.size()) to[static_cast<size_t>(argmax_)] = 1e4f;
  sizes_.result_bytes = std::max<uint64_t>(sizes_.result_bytes, to.size_bytes());
  note_peak();
}

void CountingOps::embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                        bool accumulate) {
  for (const int32_t id : ids) {
    const std::span<const std::byte> row = table.row_bytes(id);
    read(row.data(), row.size());
    if (!row_scales.empty()) read(row_scales.subspan(static_cast<size_t>(id), 1));
  }
  ForwardingOps::embed(table, row_scales, ids, out, accumulate);
}

void CountingOps::embed(Weight table, std::span<const int32_t> ids, View out) {
  const PackedWeight& packed = weight(table);
  const uint64_t block_bytes = packed_block_bytes(packed.dtype, packed.inputs);
  for (const int32_t id : ids) {
    read(packed.data + static_cast<uint64_t>(id / kOutputBlock) * block_bytes, block_bytes);
    if (packed.scales) read(packed.scales + id, sizeof(float));
  }
  ForwardingOps::embed(table, ids, out);
}

// x is quantised once, for the first weight that wants it so.
void CountingOps::read_weights(std::span<const LinearSpec> specs, View x) {
  bool quantized = false;
  for (const LinearSpec& spec : specs) {
    const PackedWeight& packed = weight(spec.weight);
    if (packed.dtype != DType::linear_f32 && packed.dtype != DType::linear_f16 && !std::exchange(quantized, true))
      take_scratch(
          kernels::active().quantized_rows_bytes(x.rows(), x.cols(), spec.scales == ActivationScales::grouped));
    read(packed.data, packed_bytes(packed.dtype, packed.outputs, packed.inputs));
    if (packed.scales) read(packed.scales, static_cast<uint64_t>(packed.out_blocks() * kOutputBlock) * sizeof(float));
    read(spec.bias);
  }
}

void CountingOps::linear(const LinearSpec& spec, View x, View out, View residual) {
  const Scope scratch(*this);
  ForwardingOps::linear(spec, x, out, residual);
  read_weights(std::span(&spec, 1), x);
}

void CountingOps::linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) {
  const Scope scratch(*this);
  ForwardingOps::linear_many(specs, x, outs);
  read_weights(specs, x);
}

void CountingOps::norm(const NormSpec& spec, View x, View out) {
  read(spec.gamma);
  read(spec.beta);
  ForwardingOps::norm(spec, x, out);
}

void CountingOps::rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads,
                       int64_t head_dim) {
  sizes_.table_bytes = std::max<uint64_t>(sizes_.table_bytes, spec.cosine.size_bytes() + spec.sine.size_bytes());
  ForwardingOps::rope(spec, positions, x, heads, head_dim);
}

void CountingOps::attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                            View out) {
  const Scope scratch(*this);
  ForwardingOps::attention(spec, spans, q, k, v, out);
  take_scratch(static_cast<uint64_t>(threads_ * kernels::active().attention_scratch_floats(spec.head_dim)) *
               sizeof(float));
}

void CountingOps::attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                                         const QuantizedKv& k, const QuantizedKv& v, View out) {
  attention(spec, spans, q, k.rows, v.rows, out);
}

}  // namespace frugal
