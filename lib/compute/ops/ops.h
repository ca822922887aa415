// The coarse operations that architectures are written against, and the backends that run them.
// Quantised details, layouts, threads and fusion live inside a backend, behind the handle that prepare() gives.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/cpu.h"
#include "compute/tensor/activation.h"
#include "compute/tensor/packed.h"
#include "compute/tensor/view.h"
#include "memory/budget.h"

namespace frugal {

/// A weight made ready by a backend. Cheap to copy; valid as long as the backend and the memory the weight came from.
struct Weight {
  int64_t id = -1;
  int64_t outputs = 0;
  int64_t inputs = 0;
  explicit operator bool() const { return id >= 0; }
};

/// A weight in full precision, read a few rows at a time: read(first_row, rows) fills whole rows of `inputs` floats.
struct WeightRows {
  int64_t outputs = 0;
  int64_t inputs = 0;
  std::function<void(int64_t first_row, std::span<float> rows)> read;
};

/// How a linear layer's activations are quantised when its weight is: one scale a token suffices for encoders, decoders
/// want one per 32 inputs (docs/design/0006: KL .037 against .007 on SmolLM2).
enum class ActivationScales { per_token, grouped };

struct NormSpec {
  NormKind kind = NormKind::layer;
  std::span<const float> gamma;
  std::span<const float> beta;  // may be empty
  float epsilon = 1e-5f;
};

struct LinearSpec {
  Weight weight;
  std::span<const float> bias;  // may be empty
  Activation activation = Activation::none;
  ActivationScales scales = ActivationScales::per_token;
};

/// Rotary positions (Su et al. 2021), with the tables of cos and sin for every position: [positions, rotary_dim / 2].
struct RopeSpec {
  std::span<const float> cosine;
  std::span<const float> sine;
  int64_t rotary_dim = 0;
  bool interleaved = false;
};

/// A run of consecutive query rows that belong to one sequence and attend to one run of key and value rows.
struct AttentionSpan {
  int64_t q_begin = 0;
  int64_t q_tokens = 0;
  int64_t kv_begin = 0;
  int64_t kv_tokens = 0;
};

struct AttentionSpec {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;  // grouped-query attention: num_heads is a multiple of it
  int64_t head_dim = 0;
  float scale = 1;
  bool causal = false;  // query i of a span sees its first kv_tokens − q_tokens + i + 1 keys
};

/// Keys or values of a cache in f16 or quantised to i8. rows: f16 or i8 [tokens, kv_heads · head_dim]; scales, of i8
/// only: f32 [tokens, kv_heads], one for each token and head.
struct QuantizedKv {
  View rows;
  View scales;
};

/// Rows of a key-value cache: several arrays in a backend's memory, uninitialised, which outlive every scope and grow
/// together, each array contiguous.
class KvRows {
 public:
  virtual ~KvRows() = default;
  /// Makes room for `rows` of each array. Existing rows keep their values, but may move. Throws Error(over_budget), and
  /// leaves the arrays as they were.
  virtual void grow_to(int64_t rows) = 0;
  /// Throws Error(over_budget) if there is no room for `rows` now, where the backend can know; grows nothing.
  virtual void check_room(int64_t rows) const = 0;
  virtual std::byte* row(size_t array, int64_t row) const = 0;
};

/// Shapes: x [tokens, features]; sequences are concatenated without padding. Errors: Error(internal) for shapes that do
/// not fit (an architecture checks its file's shapes when it loads), Error(over_budget) from the arena.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string_view name() const = 0;  // "cpu", "torch", "torch:cuda"
  /// Names what the bits of a result depend on besides the operands and the rows they come in: where it is the same,
  /// in whatever process and with however many threads, so are the bits. Empty: nothing is promised.
  virtual std::string value_identity() const { return {}; }

  virtual Weight prepare(const PackedWeight& weight) = 0;
  /// The same from rows, which are copied into memory of the backend's own.
  virtual Weight prepare(const WeightRows& weight) = 0;

  /// Working memory of the forward pass, uninitialised; released by the Scope that encloses it.
  virtual View allocate(Shape shape) = 0;
  /// Scopes nest: the last that began is the first to end.
  class Scope {
   public:
    explicit Scope(Ops& ops) : ops_(ops) { ops_.begin_scope(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { ops_.end_scope(); }

   private:
    Ops& ops_;
  };
  /// Counts as kv_cache in `budget`. The rows must not outlive the backend. row_bytes: of each array.
  virtual std::unique_ptr<KvRows> allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                                   Budget& budget);
  virtual void upload(std::span<const float> from, View to) = 0;
  virtual void download(View from, std::span<float> to) = 0;

  /// out[t] = table row ids[t] (+ out[t] if accumulate). table: f32, f16 or i8 with row scales, [rows, features].
  virtual void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                     bool accumulate) = 0;
  /// The same from a prepared linear weight (tied embeddings): out[t] = w[ids[t], :].
  virtual void embed(Weight table, std::span<const int32_t> ids, View out) = 0;
  /// out = activation(x Wᵀ + bias) (+ residual, which may be out). out must not alias x.
  virtual void linear(const LinearSpec& spec, View x, View out, View residual = {}) = 0;
  /// Several layers on the same x, which is quantised once: queries, keys and values; gate and up.
  virtual void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) = 0;
  virtual void norm(const NormSpec& spec, View x, View out) = 0;  // in place allowed
  virtual void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads,
                    int64_t head_dim) = 0;
  virtual void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                         View out) = 0;
  /// Whether the backend supports quantised keys and values; if not, the next two throw Error(internal).
  virtual bool has_quantized_kv() const { return false; }
  /// x: f32 [tokens, kv_heads · head_dim]. f16: rounded to nearest even, beyond its range ±65,504. i8: symmetric, scale
  /// = max|x| / 127 over a token's head, round to nearest even.
  virtual void quantize_kv(View x, const QuantizedKv& to);
  virtual void attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                                      const QuantizedKv& k, const QuantizedKv& v, View out);
  virtual void activate(Activation f, View x, View out) = 0;
  virtual void activate_gated(Activation f, View gate, View up, View out) = 0;
  virtual void add(View a, View b, View out) = 0;
  /// One row a span (q_begin, q_tokens used): mean over its tokens, its first or its last.
  virtual void pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) = 0;
  /// Rows scaled to unit length, in place. A zero row stays zero.
  virtual void normalize_rows(View x) = 0;
  virtual void copy(View from, View to) = 0;

 protected:
  friend class ForwardingOps;
  virtual void begin_scope() = 0;
  /// Gives up what was allocated since the scope that began last. Never throws.
  virtual void end_scope() noexcept = 0;
};

/// Passes every operation on to another backend, and says what each reads and writes before it does. What watches a
/// forward pass derives from it and overrides what it watches. It stands beside Ops so that an operation is added to
/// both in one place.
class ForwardingOps : public Ops {
 public:
  /// Borrows `inner`. Null: operations compute nothing; what a backend has to answer (its name, its memory, its
  /// weights) is then the derived class's to override.
  explicit ForwardingOps(Ops* inner) : inner_(inner) {}

  std::string_view name() const override { return inner().name(); }
  std::string value_identity() const override { return inner().value_identity(); }
  Weight prepare(const PackedWeight& weight) override { return inner().prepare(weight); }
  Weight prepare(const WeightRows& weight) override { return inner().prepare(weight); }
  View allocate(Shape shape) override { return inner().allocate(shape); }
  std::unique_ptr<KvRows> allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                           Budget& budget) override {
    return inner().allocate_kv_rows(row_bytes, capacity, budget);
  }
  bool has_quantized_kv() const override { return inner().has_quantized_kv(); }

  void upload(std::span<const float> from, View to) override {
    operate({}, {to});
    if (inner_) inner_->upload(from, to);
  }
  void download(View from, std::span<float> to) override {
    operate({from}, {});
    if (inner_) inner_->download(from, to);
  }
  void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
             bool accumulate) override {
    operate({}, {out});
    if (inner_) inner_->embed(table, row_scales, ids, out, accumulate);
  }
  void embed(Weight table, std::span<const int32_t> ids, View out) override {
    operate({}, {out});
    if (inner_) inner_->embed(table, ids, out);
  }
  void linear(const LinearSpec& spec, View x, View out, View residual) override {
    operate({x, residual}, {out});
    if (inner_) inner_->linear(spec, x, out, residual);
  }
  void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) override {
    operate({x}, outs);
    if (inner_) inner_->linear_many(specs, x, outs);
  }
  void norm(const NormSpec& spec, View x, View out) override {
    operate({x}, {out});
    if (inner_) inner_->norm(spec, x, out);
  }
  void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads,
            int64_t head_dim) override {
    operate({}, {x});
    if (inner_) inner_->rope(spec, positions, x, heads, head_dim);
  }
  void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                 View out) override {
    operate({q, k, v}, {out});
    if (inner_) inner_->attention(spec, spans, q, k, v, out);
  }
  void quantize_kv(View x, const QuantizedKv& to) override {
    operate({x}, {to.rows, to.scales});
    if (inner_) inner_->quantize_kv(x, to);
  }
  void attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                              const QuantizedKv& k, const QuantizedKv& v, View out) override {
    operate({q, k.rows, k.scales, v.rows, v.scales}, {out});
    if (inner_) inner_->attention_quantized_kv(spec, spans, q, k, v, out);
  }
  void activate(Activation f, View x, View out) override {
    operate({x}, {out});
    if (inner_) inner_->activate(f, x, out);
  }
  void activate_gated(Activation f, View gate, View up, View out) override {
    operate({gate, up}, {out});
    if (inner_) inner_->activate_gated(f, gate, up, out);
  }
  void add(View a, View b, View out) override {
    operate({a, b}, {out});
    if (inner_) inner_->add(a, b, out);
  }
  void pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) override {
    operate({x}, {out});
    if (inner_) inner_->pool(kind, spans, x, out);
  }
  void normalize_rows(View x) override {
    operate({}, {x});
    if (inner_) inner_->normalize_rows(x);
  }
  void copy(View from, View to) override {
    operate({from}, {to});
    if (inner_) inner_->copy(from, to);
  }

 protected:
  /// An operation is about to read and to write these; what it updates in place is written. Absent ones are null.
  virtual void on_operation(std::span<const View> reads, std::span<const View> writes) {
    static_cast<void>(reads);
    static_cast<void>(writes);
  }
  Ops& inner() const {
    FRUGAL_CHECK(inner_ != nullptr);
    return *inner_;
  }
  void begin_scope() override { inner().begin_scope(); }
  void end_scope() noexcept override { inner_->end_scope(); }

 private:
  using Views = std::initializer_list<View>;
  void operate(Views reads, Views writes) { on_operation(std::span(reads), std::span(writes)); }
  void operate(Views reads, std::span<const View> writes) { on_operation(std::span(reads), writes); }

  Ops* inner_;
};

class ThreadPool;

/// The native backend. `isa` nullopt: choose_isa(). Borrows `threads` and `budget`.
std::unique_ptr<Ops> make_cpu_ops(ThreadPool& threads, Budget& budget, std::optional<Isa> isa = {});

}  // namespace frugal
