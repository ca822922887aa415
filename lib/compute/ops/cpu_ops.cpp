// The native backend: kernels of one instruction set, split between the threads of a pool.
//
// An operation becomes one parallel loop over tasks (ThreadPool::parallel_for). Elementwise operations and norms take
// runs of rows. A linear layer takes tiles, runs of rows by runs of output blocks, and attention takes runs of queries
// of one head. A tile runs one kernel, which also adds bias and residual and applies the activation, so an output is
// written once. linear_many() puts the tiles of all its layers into the same loop: short layers together occupy all
// threads, and their input is quantised once.
//
// No sum is split between tasks: one task computes an output from all of its inputs. So the bits of a result depend on
// neither the number of threads nor their timing, which value_identity() promises.
//
// The shape of tiles follows from what is read. With many rows (prefill) a layer's weights are read once for each run
// of rows, and runs are as long as the kernels allow. With few rows (decoding) reading the weights is the whole cost,
// and tiles are runs of blocks only. Weights that a pager holds are pinned tile by tile; their tiles are ordered by
// blocks first, so that a block is needed for all rows in succession and then not again in this pass.
//
// Working memory comes from the arena and is released by scopes: that of the architecture, and one that an operation
// opens for its quantised rows or its scratch. Prepared weights are borrowed where they lie; only weights given as rows
// (WeightRows) are packed into memory of the backend.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/kernels/kernels.h"
#include "compute/ops/gather.h"
#include "compute/ops/ops.h"
#include "compute/ops/task_grid.h"
#include "memory/arena.h"
#include "memory/budget.h"
#include "memory/page_pool.h"
#include "memory/pager.h"

namespace frugal {
namespace {

// Rows of a task, at most: as many as the kernels process at once. Each task reads the layer's weights once, and on
// some instruction sets widens them.
constexpr int64_t kMaxRowsPerTask = 252;
// Several tasks for each thread, so that a thread that loses its core for a moment does not delay the others.
constexpr int64_t kTasksPerThread = 4;
// Queries of an attention task, at most; the smaller number applies if there are too few heads to occupy all threads.
// Each task transposes the keys once.
constexpr int64_t kMaxQueriesPerTask = 192;
constexpr int64_t kFewQueriesPerTask = 64;
// A loop over fewer floats takes less time than waking a worker (about 5 µs).
constexpr int64_t kMinParallelFloats = 16 * 1024;

bool is_integer_weight(DType dtype) {
  return dtype == DType::linear_i8 || dtype == DType::linear_i8g || dtype == DType::linear_i4;
}

// Output blocks [begin, end) of a weight, resident while the pin lives.
Pager::Pin pin_blocks(const PackedWeight& w, int64_t begin, int64_t end, Pager::Use use = Pager::Use::in_order) {
  if (!w.pager) return {};
  const uint64_t block = packed_block_bytes(w.dtype, w.inputs);
  return w.pager->pin({w.data + static_cast<uint64_t>(begin) * block, static_cast<uint64_t>(end - begin) * block}, use);
}

// Working memory for the tasks of a loop. A running task holds one piece; there are as many pieces as threads, so one
// is always free.
class Scratch {
 public:
  Scratch(Arena& arena, int threads, int64_t floats) : stride_(floats), taken_(static_cast<size_t>(threads)) {
    const uint64_t bytes = static_cast<uint64_t>(threads * floats) * sizeof(float);
    first_ = reinterpret_cast<float*>(arena.allocate(bytes));
  }

  class Piece {
   public:
    explicit Piece(Scratch& scratch) : scratch_(scratch) {
      while (scratch.taken_[index_].exchange(true, std::memory_order_acquire))
        index_ = (index_ + 1) % scratch.taken_.size();
    }
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    ~Piece() { scratch_.taken_[index_].store(false, std::memory_order_release); }
    float* floats() const { return scratch_.first_ + static_cast<int64_t>(index_) * scratch_.stride_; }

   private:
    Scratch& scratch_;
    size_t index_ = 0;
  };

 private:
  float* first_ = nullptr;
  int64_t stride_;
  std::vector<std::atomic<bool>> taken_;
};

// How the linear layers of one call are divided into tasks.
struct LinearTasks {
  struct Tile {
    size_t layer;
    int64_t row_begin, row_end, block_begin, block_end;
  };
  Tile operator[](int64_t number) const {
    const TaskGrid::Task task = grid.at(number);
    const int64_t row = (paged ? task.inner : task.outer) * rows_per_task;
    const int64_t block = (paged ? task.outer : task.inner) * blocks_per_task;
    return {task.part, row, std::min(row + rows_per_task, rows), block, block + blocks_per_task};
  }

  TaskGrid grid;  // a part per layer: runs of rows by runs of blocks; if paged, runs of blocks by runs of rows
  int64_t rows, rows_per_task, blocks_per_task;
  bool paged;
};

class CpuOps final : public Ops {
 public:
  CpuOps(ThreadPool& threads, Budget& budget, const kernels::KernelTable& table)
      : threads_(threads), budget_(budget), arena_(budget), kernels_(table) {}

  std::string_view name() const override { return "cpu"; }
  std::string value_identity() const override {
    return fmt::format("cpu {} {}", to_string(kernels_.isa), kernels::kValuesVersion);
  }

  Weight prepare(const PackedWeight& weight) override {
    FRUGAL_CHECK(weight.data && is_linear(weight.dtype));
    weights_.push_back(weight);
    return {static_cast<int64_t>(weights_.size()) - 1, weight.outputs, weight.inputs};
  }

  Weight prepare(const WeightRows& weight) override;

  View allocate(Shape shape) override {
    return View(arena_.allocate(static_cast<uint64_t>(shape.elements()) * sizeof(float)), DType::f32, shape);
  }

  void upload(std::span<const float> from, View to) override {
    FRUGAL_CHECK(int64_t(from.size()) == to.shape.elements());
    for (int64_t r = 0; r < to.rows(); ++r) std::copy_n(from.data() + r * to.cols(), to.cols(), to.row<float>(r));
  }

  void download(View from, std::span<float> to) override {
    FRUGAL_CHECK(int64_t(to.size()) == from.shape.elements());
    for (int64_t r = 0; r < from.rows(); ++r) std::copy_n(from.row<float>(r), from.cols(), to.data() + r * from.cols());
  }

  void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
             bool accumulate) override;
  void embed(Weight table, std::span<const int32_t> ids, View out) override;
  void linear(const LinearSpec& spec, View x, View out, View residual) override {
    multiply(std::span(&spec, 1), x, std::span(&out, 1), residual);
  }
  void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) override {
    multiply(specs, x, outs, {});
  }
  void norm(const NormSpec& spec, View x, View out) override;
  void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads, int64_t head_dim) override;
  void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                 View out) override;
  bool has_quantized_kv() const override { return true; }
  void quantize_kv(View x, const QuantizedKv& to) override;
  void attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                              const QuantizedKv& k, const QuantizedKv& v, View out) override;
  void activate(Activation f, View x, View out) override;
  void activate_gated(Activation f, View gate, View up, View out) override;
  void add(View a, View b, View out) override;
  void scale(View x, float factor) override;
  void pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) override;
  void normalize_rows(View x) override;
  void copy(View from, View to) override;
  void release_working_memory() override {
    if (scopes_.empty()) arena_.clear();
  }

 protected:
  void begin_scope() override { scopes_.push_back(arena_.mark()); }
  void end_scope() noexcept override {
    arena_.reset(scopes_.back());
    scopes_.pop_back();
  }

 private:
  // Calls body(row_begin, row_end) for runs of rows of `cols` floats, in parallel if there is enough work.
  template <typename Body>
  void for_rows(int64_t rows, int64_t cols, Body&& body) {
    const int64_t grain = std::max<int64_t>(1, kMinParallelFloats / std::max<int64_t>(cols, 1));
    threads_.parallel_for(rows, grain, body);
  }

  const PackedWeight& weight(Weight handle) const {
    FRUGAL_CHECK(handle.id >= 0 && handle.id < int64_t(weights_.size()));
    return weights_[static_cast<size_t>(handle.id)];
  }

  kernels::QuantizedRows quantize(View x, ActivationScales scales);
  LinearTasks plan_linear(std::span<const LinearSpec> specs, int64_t rows) const;
  void multiply(std::span<const LinearSpec> specs, View x, std::span<const View> outs, View residual);
  void multiply_tile(const LinearTasks::Tile& tile, const LinearSpec& spec, View x,
                     const kernels::QuantizedRows& quantized, View out, View residual);
  void attend(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, const QuantizedKv& k,
              const QuantizedKv& v, View out);

  ThreadPool& threads_;
  Budget& budget_;
  std::vector<PagePool::Block> owned_;  // of weights that were given as rows
  Arena arena_;
  std::vector<Arena::Mark> scopes_;  // the arena's position at the beginning of each scope
  const kernels::KernelTable& kernels_;
  std::vector<PackedWeight> weights_;
};

Weight CpuOps::prepare(const WeightRows& weight) {
  PagePool::Block owned =
      budget_.pool(MemoryTag::weights)
          .make(packed_bytes(DType::linear_f32, weight.outputs, weight.inputs), "weights in full precision");
  const uint64_t block_bytes = packed_block_bytes(DType::linear_f32, weight.inputs);
  std::vector<float> buffer(static_cast<size_t>(kOutputBlock * weight.inputs));
  std::byte* block = owned.get();
  for (int64_t first = 0; first < weight.outputs; first += kOutputBlock, block += block_bytes) {
    const int64_t count = std::min(kOutputBlock, weight.outputs - first);
    const std::span<float> rows = std::span(buffer).first(static_cast<size_t>(count * weight.inputs));
    weight.read(first, rows);
    pack_block(DType::linear_f32, rows, weight.inputs, block, nullptr);
  }
  owned_.push_back(std::move(owned));
  return prepare(PackedWeight{DType::linear_f32, weight.outputs, weight.inputs, owned_.back().get(), nullptr});
}

void CpuOps::embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                   bool accumulate) {
  gather_rows(table, row_scales, ids, out, accumulate);
}

void CpuOps::embed(Weight table, std::span<const int32_t> ids, View out) {
  const PackedWeight& packed = weight(table);
  FRUGAL_CHECK(out.rows() == int64_t(ids.size()) && out.cols() == packed.inputs);
  for (int64_t t = 0; t < out.rows(); ++t) {
    const int32_t id = ids[static_cast<size_t>(t)];
    const Pager::Pin pin = pin_blocks(packed, id / kOutputBlock, id / kOutputBlock + 1, Pager::Use::random);
    unpack_output(packed, id, {out.row<float>(t), static_cast<size_t>(packed.inputs)});
  }
}

kernels::QuantizedRows CpuOps::quantize(View x, ActivationScales scales) {
  kernels::QuantizedRows rows;
  rows.rows = x.rows();
  rows.cols = x.cols();
  rows.grouped = scales == ActivationScales::grouped;
  rows.data = arena_.allocate(kernels_.quantized_rows_bytes(rows.rows, rows.cols, rows.grouped));
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    kernels_.quantize_rows(x.row<float>(0), x.row_stride, begin, end, rows);
  });
  return rows;
}

// A task is a run of rows by a run of output blocks of one of the layers. Many rows are split by rows first; few rows,
// as in decoding, by blocks only. Paged weights are read once: all rows of a run of blocks before the next run.
LinearTasks CpuOps::plan_linear(std::span<const LinearSpec> specs, int64_t rows) const {
  int64_t total_blocks = 0;
  uint64_t largest_block = 1;
  bool paged = false;
  for (const LinearSpec& spec : specs) {
    const PackedWeight& w = weight(spec.weight);
    total_blocks += w.out_blocks();
    largest_block = std::max(largest_block, packed_block_bytes(w.dtype, w.inputs));
    paged |= w.pager != nullptr;
  }
  const int64_t row_tasks = ceil_div(rows, kMaxRowsPerTask);
  const int64_t wanted = threads_.threads() == 1 ? 1 : threads_.threads() * kTasksPerThread;
  int64_t blocks = std::max<int64_t>(1, total_blocks / std::max<int64_t>(1, ceil_div(wanted, row_tasks)));
  if (paged) blocks = std::clamp<int64_t>(static_cast<int64_t>(Pager::kMaxPinBytes / largest_block), 1, blocks);

  LinearTasks tasks{TaskGrid(specs.size()), rows, ceil_div(rows, row_tasks), blocks, paged};
  for (const LinearSpec& spec : specs) {
    const int64_t block_tasks = ceil_div(weight(spec.weight).out_blocks(), blocks);
    if (paged)
      tasks.grid.add(block_tasks, row_tasks);
    else
      tasks.grid.add(row_tasks, block_tasks);
  }
  return tasks;
}

void CpuOps::multiply(std::span<const LinearSpec> specs, View x, std::span<const View> outs, View residual) {
  FRUGAL_CHECK(specs.size() == outs.size() && !specs.empty());
  if (x.rows() == 0) return;
  const Scope scratch(*this);
  kernels::QuantizedRows quantized;
  for (size_t i = 0; i < specs.size(); ++i) {
    const PackedWeight& w = weight(specs[i].weight);
    FRUGAL_CHECK(x.cols() == w.inputs && outs[i].rows() == x.rows() && outs[i].cols() == w.outputs);
    FRUGAL_CHECK(specs[i].bias.empty() || int64_t(specs[i].bias.size()) == w.outputs);
    if (is_integer_weight(w.dtype) && !quantized.data) quantized = quantize(x, specs[i].scales);
  }
  const LinearTasks tasks = plan_linear(specs, x.rows());
  threads_.parallel_for(tasks.grid.tasks(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const LinearTasks::Tile tile = tasks[task];
      multiply_tile(tile, specs[tile.layer], x, quantized, outs[tile.layer], residual);
    }
  });
}

void CpuOps::multiply_tile(const LinearTasks::Tile& tile, const LinearSpec& spec, View x,
                           const kernels::QuantizedRows& quantized, View out, View residual) {
  const PackedWeight& w = weight(spec.weight);
  const int64_t block_end = std::min(tile.block_end, w.out_blocks());  // the last run of blocks may be shorter
  const Pager::Pin pin = pin_blocks(w, tile.block_begin, block_end);
  kernels::Epilogue epilogue;
  if (!spec.bias.empty()) epilogue.bias = spec.bias.data();
  epilogue.activation = spec.activation;
  if (residual) {
    epilogue.residual = residual.row<float>(0);
    epilogue.residual_stride = residual.row_stride;
  }
  if (is_integer_weight(w.dtype))
    kernels_.linear_quantized(w, quantized, tile.row_begin, tile.row_end, tile.block_begin, block_end,
                              out.row<float>(0), out.row_stride, epilogue);
  else
    kernels_.linear_float(w, x.row<float>(0), x.row_stride, tile.row_begin, tile.row_end, tile.block_begin, block_end,
                          out.row<float>(0), out.row_stride, epilogue);
}

void CpuOps::norm(const NormSpec& spec, View x, View out) {
  FRUGAL_CHECK(x.shape == out.shape && int64_t(spec.gamma.size()) == x.cols());
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    if (spec.kind == NormKind::rms)
      kernels_.rms_norm(x.row<float>(begin), x.row_stride, end - begin, x.cols(), spec.gamma.data(), spec.epsilon,
                        out.row<float>(begin), out.row_stride);
    else
      kernels_.layer_norm(x.row<float>(begin), x.row_stride, end - begin, x.cols(), spec.gamma.data(),
                          spec.beta.empty() ? nullptr : spec.beta.data(), spec.epsilon, out.row<float>(begin),
                          out.row_stride);
  });
}

void CpuOps::rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads, int64_t head_dim) {
  FRUGAL_CHECK(int64_t(positions.size()) == x.rows() && heads * head_dim == x.cols() && spec.rotary_dim <= head_dim);
  const int64_t half = spec.rotary_dim / 2;
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const size_t offset = static_cast<size_t>(positions[static_cast<size_t>(t)] * half);
      FRUGAL_CHECK(offset + static_cast<size_t>(half) <= spec.cosine.size());
      kernels_.rope(x.row<float>(t), heads, head_dim, spec.rotary_dim, spec.cosine.data() + offset,
                    spec.sine.data() + offset, spec.interleaved);
    }
  });
}

void CpuOps::attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                       View out) {
  FRUGAL_CHECK(k.dtype == DType::f32);
  attend(spec, spans, q, {k, {}}, {v, {}}, out);
}

void CpuOps::attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                                    const QuantizedKv& k, const QuantizedKv& v, View out) {
  FRUGAL_CHECK(k.rows.dtype == DType::f16 || (k.rows.dtype == DType::i8 && k.scales.cols() == spec.num_kv_heads));
  FRUGAL_CHECK(k.scales.shape == v.scales.shape);
  attend(spec, spans, q, k, v, out);
}

void CpuOps::quantize_kv(View x, const QuantizedKv& to) {
  FRUGAL_CHECK(x.shape == to.rows.shape);
  if (to.rows.dtype == DType::f16) {
    for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) kernels_.narrow_vector(x.row<float>(t), x.cols(), to.rows.row<uint16_t>(t));
    });
    return;
  }
  const int64_t heads = to.scales.cols();
  FRUGAL_CHECK(to.rows.dtype == DType::i8 && to.scales.rows() == x.rows() && heads > 0 && x.cols() % heads == 0);
  const int64_t head_dim = x.cols() / heads;
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      for (int64_t head = 0; head < heads; ++head)
        to.scales.row<float>(t)[head] = kernels_.quantize_vector(x.row<float>(t) + head * head_dim, head_dim,
                                                                 to.rows.row<int8_t>(t) + head * head_dim);
  });
}

// The keys or values of one head from row `first` on.
kernels::HeadRows head_rows(const QuantizedKv& heads, int64_t first, int64_t head, int64_t head_dim) {
  const View& rows = heads.rows;
  const std::byte* at = static_cast<const std::byte*>(rows.data) +
                        static_cast<uint64_t>(first * rows.row_stride + head * head_dim) * element_bytes(rows.dtype);
  if (!heads.scales) return {at, rows.row_stride, rows.dtype};
  return {at, rows.row_stride, rows.dtype, heads.scales.row<float>(first) + head, heads.scales.row_stride};
}

// A task is a run of queries of one head. Keys and values in f32 or f16 have no scales.
void CpuOps::attend(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, const QuantizedKv& k,
                    const QuantizedKv& v, View out) {
  check_attention(spec);
  FRUGAL_CHECK(q.cols() == spec.num_heads * spec.head_dim);
  FRUGAL_CHECK(k.rows.cols() == spec.num_kv_heads * spec.head_dim && v.rows.cols() == k.rows.cols());
  FRUGAL_CHECK(k.rows.dtype == v.rows.dtype);
  const Scope scope(*this);
  Scratch scratch(arena_, threads_.threads(), kernels_.attention_scratch_floats(spec.head_dim));
  const int64_t group = spec.num_heads / spec.num_kv_heads;
  const bool many = int64_t(spans.size()) * spec.num_heads >= threads_.threads() * kTasksPerThread;
  const int64_t queries = many ? kMaxQueriesPerTask : kFewQueriesPerTask;
  TaskGrid grid(spans.size());
  for (const AttentionSpan& span : spans) grid.add(ceil_div(span.q_tokens, queries), spec.num_heads);

  threads_.parallel_for(grid.tasks(), 1, [&](int64_t begin, int64_t end) {
    const Scratch::Piece piece(scratch);
    for (int64_t task = begin; task < end; ++task) {
      const TaskGrid::Task at = grid.at(task);
      const AttentionSpan& span = spans[at.part];
      const int64_t head = at.inner;
      const int64_t q_begin = at.outer * queries;
      const int64_t q_end = std::min(q_begin + queries, span.q_tokens);

      kernels::AttentionHead problem;
      problem.q = q.row<float>(span.q_begin + q_begin) + head * spec.head_dim;
      problem.q_stride = q.row_stride;
      problem.k = head_rows(k, span.kv_begin, head / group, spec.head_dim);
      problem.v = head_rows(v, span.kv_begin, head / group, spec.head_dim);
      problem.out = out.row<float>(span.q_begin + q_begin) + head * spec.head_dim;
      problem.out_stride = out.row_stride;
      problem.q_tokens = q_end - q_begin;
      problem.kv_tokens = span.kv_tokens;
      problem.head_dim = spec.head_dim;
      problem.scale = spec.scale;
      problem.q_position = span.kv_tokens - span.q_tokens + q_begin;
      problem.causal = spec.causal;
      problem.window = spec.window;
      if (!spec.relative_bias.empty()) {
        problem.bias_reach = spec.bias_reach();
        problem.bias = spec.relative_bias.data() + head * (2 * problem.bias_reach + 1);
      }
      problem.soft_cap = spec.soft_cap;
      kernels_.attention(problem, piece.floats());
    }
  });
}

void CpuOps::activate(Activation f, View x, View out) {
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) kernels_.activate(f, x.row<float>(r), x.cols(), out.row<float>(r));
  });
}

void CpuOps::activate_gated(Activation f, View gate, View up, View out) {
  for_rows(gate.rows(), gate.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      kernels_.activate_gated(f, gate.row<float>(r), up.row<float>(r), gate.cols(), out.row<float>(r));
  });
}

void CpuOps::add(View a, View b, View out) {
  for_rows(a.rows(), a.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) kernels_.add(a.row<float>(r), b.row<float>(r), a.cols(), out.row<float>(r));
  });
}

void CpuOps::scale(View x, float factor) {
  for_rows(x.rows(), x.cols(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = x.row<float>(r);
      std::transform(row, row + x.cols(), row, [factor](float value) { return value * factor; });
    }
  });
}

void CpuOps::pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) {
  FRUGAL_CHECK(out.rows() == int64_t(spans.size()) && out.cols() == x.cols());
  for (int64_t s = 0; s < out.rows(); ++s) {
    const AttentionSpan& span = spans[static_cast<size_t>(s)];
    FRUGAL_CHECK(span.q_tokens > 0);
    float* to = out.row<float>(s);
    const int64_t first = kind == Pooling::last ? span.q_begin + span.q_tokens - 1 : span.q_begin;
    std::copy_n(x.row<float>(first), x.cols(), to);
    if (kind != Pooling::mean) continue;
    for (int64_t t = 1; t < span.q_tokens; ++t) kernels_.add(to, x.row<float>(span.q_begin + t), x.cols(), to);
    const float inverse = 1.0f / static_cast<float>(span.q_tokens);
    for (int64_t i = 0; i < x.cols(); ++i) to[i] *= inverse;
  }
}

void CpuOps::normalize_rows(View x) {
  for (int64_t r = 0; r < x.rows(); ++r) {
    float* row = x.row<float>(r);
    const float squares = kernels_.dot_f32(row, row, x.cols());
    if (squares <= 0) continue;
    const float inverse = 1.0f / std::sqrt(squares);
    for (int64_t i = 0; i < x.cols(); ++i) row[i] *= inverse;
  }
}

void CpuOps::copy(View from, View to) {
  FRUGAL_CHECK(from.rows() == to.rows() && from.cols() == to.cols());
  for (int64_t r = 0; r < from.rows(); ++r) std::copy_n(from.row<float>(r), from.cols(), to.row<float>(r));
}

}  // namespace

std::unique_ptr<Ops> make_cpu_ops(ThreadPool& threads, Budget& budget, std::optional<Isa> isa) {
  return std::make_unique<CpuOps>(threads, budget, isa ? kernels::table(*isa) : kernels::active());
}

}  // namespace frugal
