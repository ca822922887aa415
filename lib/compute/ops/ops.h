// The interface between architectures and backends: coarse operations on fp32 matrices. Layouts, quantisation, threads
// and fusion are private to a backend, behind the handle of a weight that prepare() returns.
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

/// Handle of a weight that a backend has prepared. Valid while the backend and the memory of the weight live.
struct Weight {
  int64_t id = -1;
  int64_t outputs = 0;
  int64_t inputs = 0;
  explicit operator bool() const { return id >= 0; }
};

/// A weight in fp32, read a few rows at a time: read(first_row, rows) fills `rows`, whole rows of `inputs` floats.
struct WeightRows {
  int64_t outputs = 0;
  int64_t inputs = 0;
  std::function<void(int64_t first_row, std::span<float> rows)> read;
};

/// Scales of a linear layer's activations, which are quantised if its weight is: one for each token, which suffices for
/// encoders, or one per 32 inputs, which decoders need (docs/design/0006: KL .037 against .007 on SmolLM2).
enum class ActivationScales { per_token, grouped };

struct NormSpec {
  NormKind kind = NormKind::layer;
  std::span<const float> gamma;  // [features]
  std::span<const float> beta;   // [features], or empty
  float epsilon = 1e-5f;
};

struct LinearSpec {
  Weight weight;
  std::span<const float> bias;  // [outputs], or empty
  Activation activation = Activation::none;
  ActivationScales scales = ActivationScales::per_token;
};

/// Rotary positions (Su et al. 2021). cosine, sine: [positions, rotary_dim / 2], a row for each position.
struct RopeSpec {
  std::span<const float> cosine;
  std::span<const float> sine;
  int64_t rotary_dim = 0;
  bool interleaved = false;  // pairs (2i, 2i + 1); false: (i, i + rotary_dim / 2)
};

/// The rows of one sequence: q_tokens rows of queries, which attend to kv_tokens rows of keys and values.
struct AttentionSpan {
  int64_t q_begin = 0;
  int64_t q_tokens = 0;
  int64_t kv_begin = 0;
  int64_t kv_tokens = 0;
};

/// The last query of a span stands beside its last key: query i has position kv_tokens − q_tokens + i among the keys.
/// Positions matter only for the last three fields; cross-attention leaves them at their defaults.
struct AttentionSpec {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;  // grouped-query attention: num_heads is a multiple of it
  int64_t head_dim = 0;
  float scale = 1;
  bool causal = false;  // a query sees no key after its own position
  int64_t window = 0;   // if positive, it sees no key further than this from its own position (Beltagy et al. 2020)
  /// [num_heads, 2 · reach + 1], or empty: the bias of key − position = −reach … reach (Raffel et al. 2020). A key
  /// further away has the bias of the nearer end of the table.
  std::span<const float> relative_bias = {};
  /// If positive, a scaled score s becomes soft_cap · tanh(s / soft_cap), before its bias (Gemma Team 2024).
  float soft_cap = 0;
  /// The largest distance that has a bias of its own.
  int64_t bias_reach() const { return num_heads > 0 ? (int64_t(relative_bias.size()) / num_heads - 1) / 2 : 0; }
};

/// Throws Error(internal) unless the heads can share those of keys and values, neither window nor cap is negative, and
/// the bias has an odd number of distances for each head.
void check_attention(const AttentionSpec& spec);

/// Keys or values of a cache. rows: f16 or i8 [tokens, kv_heads · head_dim]; scales: f32 [tokens, kv_heads], one for
/// each token and head, if the rows are i8.
struct QuantizedKv {
  View rows;
  View scales;
};

/// Memory of a key-value cache: arrays of rows in a backend's memory, uninitialised, each contiguous. They grow
/// together and do not belong to any scope.
class KvRows {
 public:
  virtual ~KvRows() = default;
  /// Makes room for `rows` rows in each array. Existing rows keep their values, but may move. On Error(over_budget) all
  /// rows are as they were.
  virtual void grow_to(int64_t rows) = 0;
  /// Throws Error(over_budget) if there is no room for `rows` rows now, as far as the backend can tell. Grows nothing.
  virtual void check_room(int64_t rows) const = 0;
  /// Valid until grow_to().
  virtual std::byte* row(size_t array, int64_t row) const = 0;
};

/// Matrices are fp32 [tokens, features] in the backend's memory. The sequences of a batch are concatenated without
/// padding. Throws Error(internal) for shapes that do not match (architectures check the shapes of a file when they
/// load it), Error(over_budget) if there is no working memory. Not thread-safe.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string_view name() const = 0;  // "cpu", "torch", "torch:cuda"
  /// Identifies everything that the bits of a result depend on besides the operands and the rows that are computed
  /// together. Equal identities mean equal bits, in every process and with any number of threads. Empty: no guarantee.
  virtual std::string value_identity() const { return {}; }

  /// The weight's bytes are borrowed.
  virtual Weight prepare(const PackedWeight& weight) = 0;
  /// The rows are read now, into the backend's own memory.
  virtual Weight prepare(const WeightRows& weight) = 0;

  /// Working memory of a forward pass, uninitialised. The innermost scope releases it.
  virtual View allocate(Shape shape) = 0;
  /// Releases at its end what was allocated since its beginning. Scopes nest.
  class Scope {
   public:
    explicit Scope(Ops& ops) : ops_(ops) { ops_.begin_scope(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { ops_.end_scope(); }

   private:
    Ops& ops_;
  };
  /// One array for each element of row_bytes, which is its bytes per row; each grows to at most `capacity` rows.
  /// Reserved as kv_cache in `budget`, or in the budget of the backend's device. Must not outlive the backend.
  virtual std::unique_ptr<KvRows> allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                                   Budget& budget);
  /// Copies a matrix, row-major in `from`, into the backend's memory; download() copies one back.
  virtual void upload(std::span<const float> from, View to) = 0;
  virtual void download(View from, std::span<float> to) = 0;

  /// out[t] = table row ids[t] (+ out[t] if accumulate). table: f32, f16 or i8 with row scales, [rows, features].
  virtual void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                     bool accumulate) = 0;
  /// The same from a prepared linear weight (tied embeddings): out[t] = w[ids[t], :].
  virtual void embed(Weight table, std::span<const int32_t> ids, View out) = 0;
  /// out = activation(x Wᵀ + bias) (+ residual, which may alias out). out must not alias x.
  virtual void linear(const LinearSpec& spec, View x, View out, View residual = {}) = 0;
  /// Linear layers with the same input, which is quantised once: queries, keys and values; gate and up.
  virtual void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) = 0;
  /// Layer norm (Ba et al. 2016) or RMS norm (Zhang & Sennrich 2019) of each row; out may alias x.
  virtual void norm(const NormSpec& spec, View x, View out) = 0;
  /// Rotates x [tokens, heads · head_dim] in place. positions: [tokens].
  virtual void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads,
                    int64_t head_dim) = 0;
  /// softmax(scale · q kᵀ + bias) v over the visible keys, for each span and head (Vaswani et al. 2017), with the
  /// soft cap of the spec. q, out: [tokens, heads · head_dim]; k, v: [tokens, kv_heads · head_dim].
  virtual void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                         View out) = 0;
  /// Whether the backend supports quantised keys and values; if not, the next two throw Error(internal).
  virtual bool has_quantized_kv() const { return false; }
  /// Converts x, f32 [tokens, kv_heads · head_dim]. f16: rounded to nearest even, clamped to ±65,504. i8: symmetric,
  /// rounded to nearest even, scale = max|x| / 127 over a token's head.
  virtual void quantize_kv(View x, const QuantizedKv& to);
  virtual void attention_quantized_kv(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q,
                                      const QuantizedKv& k, const QuantizedKv& v, View out);
  /// out = f(x), element by element.
  virtual void activate(Activation f, View x, View out) = 0;
  /// out = f(gate) · up, element by element; out may alias gate.
  virtual void activate_gated(Activation f, View gate, View up, View out) = 0;
  /// out = a + b; out may alias a.
  virtual void add(View a, View b, View out) = 0;
  /// x = factor · x, in place.
  virtual void scale(View x, float factor) = 0;
  /// out: [spans, features], for each span (q_begin, q_tokens) the mean of its tokens, its first or its last.
  virtual void pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) = 0;
  /// Scales rows to unit length, in place. A zero row stays zero.
  virtual void normalize_rows(View x) = 0;
  virtual void copy(View from, View to) = 0;

  /// Returns to the system what is kept from one forward pass for the next. Does nothing within a pass.
  virtual void release_working_memory() {}

 protected:
  friend class ForwardingOps;
  virtual void begin_scope() = 0;
  /// Releases what was allocated since the innermost scope began. Never throws.
  virtual void end_scope() noexcept = 0;
};

/// Forwards every operation to another backend, after a call of on_operation() with the matrices that it reads and
/// writes. Classes that observe a forward pass derive from it. It is declared beside Ops so that an operation is added
/// to both in one place.
class ForwardingOps : public Ops {
 public:
  /// Borrows `inner`. If it is null, operations compute nothing, and the derived class must override whatever a backend
  /// answers: its name, its weights, its memory.
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
  void scale(View x, float factor) override {
    operate({}, {x});
    if (inner_) inner_->scale(x, factor);
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
  void release_working_memory() override {
    if (inner_) inner_->release_working_memory();
  }

 protected:
  /// Called before an operation with the matrices that it reads and writes. One that is updated in place counts as
  /// written. Absent ones are null.
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
