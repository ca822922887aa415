// A plugin's table of C functions (plugin_abi.h) as an Ops. TableOps checks shapes, passes plain structs, and turns the
// status of each call into an Error with the plugin's text. The computing is the plugin's.
//
// On the host (is_host) the plugin works in memory of this process: the arena for activations, the budget's pools for
// keys and values. On a device every allocation is a block of the plugin's, reserved in the device's own budget first.
// The end of a scope releases the blocks that were allocated since it began. Device memory does not grow in place, so
// DeviceRows copies its rows to larger blocks.
//
// Weights are held by DeviceWeights in both cases: resident, or streamed for each use. A streamed weight is multiplied
// in slices of its outputs, and linear() gives each slice its columns of bias, residual and out. Embedding tables that
// are not linear weights stay on the host, and only the rows that are looked up are sent.
//
// The members of TableOps are destroyed from the last to the first: blocks and weights before the context, the context
// before the shared object.
#include "compute/ops/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/plugin_library.h"
#include "base/thread_pool.h"
#include "compute/ops/device_weights.h"
#include "compute/ops/gather.h"
#include "compute/ops/plugin_abi.h"
#include "memory/arena.h"
#include "memory/budget.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

static_assert(int(Activation::none) == FRUGAL_NONE && int(Activation::gelu) == FRUGAL_GELU &&
              int(Activation::gelu_tanh) == FRUGAL_GELU_TANH && int(Activation::silu) == FRUGAL_SILU &&
              int(Activation::relu) == FRUGAL_RELU && int(Activation::tanh) == FRUGAL_TANH &&
              int(Activation::quick_gelu) == FRUGAL_QUICK_GELU);
static_assert(int(NormKind::layer) == FRUGAL_LAYER_NORM && int(NormKind::rms) == FRUGAL_RMS_NORM);
static_assert(int(Pooling::mean) == FRUGAL_POOL_MEAN && int(Pooling::cls) == FRUGAL_POOL_CLS &&
              int(Pooling::last) == FRUGAL_POOL_LAST);
static_assert(sizeof(AttentionSpan) == sizeof(frugal_span) &&
              offsetof(AttentionSpan, kv_tokens) == offsetof(frugal_span, kv_tokens));

constexpr std::string_view kDeviceRows = "the key-value cache on the device";
constexpr const char* kTorchHint = "run scripts/setup --torch to install libtorch, then build again (docs/plugins.md)";

using Plugin = PluginTable<frugal_plugin>;

std::shared_ptr<const Plugin> open_plugin(const fs::path& file) {
  // libgomp reads this once, when it is loaded. Its spinning workers compete with our threads and OpenBLAS's, which
  // made libtorch up to ten times slower on two processors. A value that the user set is kept.
  ::setenv("OMP_WAIT_POLICY", "passive", 0);
  return std::make_shared<const Plugin>(file, FRUGAL_PLUGIN_SYMBOL, FRUGAL_PLUGIN_ABI, kTorchHint);
}

int32_t abi_precision(Backend::Precision precision) {
  switch (precision) {
    case Backend::Precision::bf16:
      return FRUGAL_BF16;
    case Backend::Precision::fp16:
      return FRUGAL_FP16;
    case Backend::Precision::fp32:
      break;
  }
  return FRUGAL_FP32;
}

frugal_vector vector_of(std::span<const float> values) {
  return {values.empty() ? nullptr : values.data(), static_cast<int64_t>(values.size())};
}

frugal_matrix matrix_of(View x) {
  if (!x) return {nullptr, 0, 0, 0};
  FRUGAL_CHECK(x.dtype == DType::f32);
  return {x.row<float>(0), x.rows(), x.cols(), x.row_stride};
}

std::optional<uint64_t> known(int64_t bytes) {
  return bytes < 0 ? std::nullopt : std::optional<uint64_t>(static_cast<uint64_t>(bytes));
}

class TableOps final : public PluginOps {
 public:
  TableOps(std::shared_ptr<const Plugin> library, const Backend& backend, int threads, Budget& budget)
      : library_(std::move(library)), plugin_(**library_), budget_(budget), arena_(budget) {
    const frugal_open how{backend.device.c_str(), abi_precision(backend.precision), threads};
    frugal_context* context = nullptr;
    check(plugin_.open(&how, &context), "open");
    context_ = {context, plugin_.close};
    check(plugin_.device(context_.get(), &device_), "device");
    if (!device_.is_host) device_budget_.emplace(budget, device_limits(backend));
    weights_.emplace(plugin_, context_.get(), backend.precision == Backend::Precision::fp32 ? 4 : 2, device_budget(),
                     [this](int32_t status, const char* operation) { check(status, operation); });
    name_ = device_.is_host ? plugin_.name : fmt::format("{}:{}", plugin_.name, device_.name);
  }

  std::string_view name() const override { return name_; }
  std::string library() const override { return device_.library; }
  std::string device() const override { return device_.name; }

  Weight prepare(const PackedWeight& weight) override { return {weights_->add(weight), weight.outputs, weight.inputs}; }
  Weight prepare(const WeightRows& weight) override { return {weights_->add(weight), weight.outputs, weight.inputs}; }
  View allocate(Shape shape) override;
  std::unique_ptr<KvRows> allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                           Budget& budget) override;
  /// Uninitialised memory on a device, reserved in its budget. Errors name `purpose`.
  std::shared_ptr<std::byte> device_block(MemoryTag tag, uint64_t bytes, std::string_view purpose);
  void check_device_room(uint64_t bytes) { device_budget_->reserve(MemoryTag::kv_cache, bytes, kDeviceRows); }
  void upload(std::span<const float> from, View to) override {
    FRUGAL_CHECK(int64_t(from.size()) == to.shape.elements());
    check(plugin_.upload(context_.get(), vector_of(from), matrix_of(to)), "upload");
  }
  void download(View from, std::span<float> to) override {
    FRUGAL_CHECK(int64_t(to.size()) == from.shape.elements());
    check(plugin_.download(context_.get(), matrix_of(from), to.data()), "download");
  }

  void embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
             bool accumulate) override;
  void embed(Weight table, std::span<const int32_t> ids, View out) override;
  void linear(const LinearSpec& spec, View x, View out, View residual) override;
  void linear_many(std::span<const LinearSpec> specs, View x, std::span<const View> outs) override {
    FRUGAL_CHECK(specs.size() == outs.size());
    for (size_t i = 0; i < specs.size(); ++i) linear(specs[i], x, outs[i], {});
  }
  void norm(const NormSpec& spec, View x, View out) override {
    FRUGAL_CHECK(x.shape == out.shape && int64_t(spec.gamma.size()) == x.cols());
    check(plugin_.norm(context_.get(), int32_t(spec.kind), vector_of(spec.gamma), vector_of(spec.beta), spec.epsilon,
                       matrix_of(x), matrix_of(out)),
          "norm");
  }
  void rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads, int64_t head_dim) override;
  void attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                 View out) override;
  void activate(Activation f, View x, View out) override {
    check(plugin_.activate(context_.get(), int32_t(f), matrix_of(x), matrix_of(out)), "activate");
  }
  void activate_gated(Activation f, View gate, View up, View out) override {
    check(plugin_.activate_gated(context_.get(), int32_t(f), matrix_of(gate), matrix_of(up), matrix_of(out)),
          "activate_gated");
  }
  void add(View a, View b, View out) override {
    check(plugin_.add(context_.get(), matrix_of(a), matrix_of(b), matrix_of(out)), "add");
  }
  void scale(View x, float factor) override { check(plugin_.scale(context_.get(), factor, matrix_of(x)), "scale"); }
  void pool(Pooling kind, std::span<const AttentionSpan> spans, View x, View out) override {
    FRUGAL_CHECK(out.rows() == int64_t(spans.size()) && out.cols() == x.cols());
    check(plugin_.pool(context_.get(), int32_t(kind), abi_spans(spans), int64_t(spans.size()), matrix_of(x),
                       matrix_of(out)),
          "pool");
  }
  void normalize_rows(View x) override {
    check(plugin_.normalize_rows(context_.get(), matrix_of(x)), "normalize_rows");
  }
  void copy(View from, View to) override {
    FRUGAL_CHECK(from.rows() == to.rows() && from.cols() == to.cols());
    check(plugin_.copy(context_.get(), matrix_of(from), matrix_of(to)), "copy");
  }

  DeviceMemory memory() const override;
  void drop_caches() override { check(plugin_.drop_caches(context_.get()), "drop_caches"); }
  void reset_peak() override { check(plugin_.reset_peak(context_.get()), "reset_peak"); }
  Svd svd(std::span<const float> a, int64_t rows, int64_t cols) override;

 protected:
  void begin_scope() override { scopes_.push_back({arena_.mark(), blocks_.size()}); }
  void end_scope() noexcept override {
    if (device_.is_host) arena_.reset(scopes_.back().on_host);
    blocks_.resize(scopes_.back().device_blocks);
    scopes_.pop_back();
  }

 private:
  static const frugal_span* abi_spans(std::span<const AttentionSpan> spans) {
    return reinterpret_cast<const frugal_span*>(spans.data());  // the same members, asserted above
  }
  void check(int32_t status, const char* operation) const;
  BudgetLimits device_limits(const Backend& backend) const;
  Budget& device_budget() { return device_budget_ ? *device_budget_ : budget_; }

  // Their order matters: they are destroyed from the last to the first.
  std::shared_ptr<const Plugin> library_;
  const frugal_plugin& plugin_;
  std::unique_ptr<frugal_context, void (*)(frugal_context*)> context_{nullptr, nullptr};
  frugal_device device_{};
  std::string name_;
  Budget& budget_;
  Arena arena_;                                     // on the host
  std::optional<Budget> device_budget_;             // unless the device is the host
  std::optional<DeviceWeights> weights_;            // set by the constructor
  std::vector<std::shared_ptr<std::byte>> blocks_;  // on a device
  // What was allocated before a scope began.
  struct Begin {
    Arena::Mark on_host;
    size_t device_blocks;
  };
  std::vector<Begin> scopes_;
};

void TableOps::check(int32_t status, const char* operation) const {
  if (status == FRUGAL_OK) return;
  const std::string what =
      fmt::format("{}: {}: {}", name_.empty() ? plugin_.name : name_, operation, plugin_.error_text());
  switch (status) {
    case FRUGAL_NO_DEVICE:
      throw Error(Code::missing, what)
          .hint("use --backend torch to run on the processor; for CUDA, see docs/plugins.md");
    case FRUGAL_OUT_OF_MEMORY:
      throw Error(Code::over_budget, what).hint("use a smaller model, fewer tokens, or --backend cpu");
    case FRUGAL_UNSUPPORTED:
      throw Error(Code::usage, what).hint("leave out the precision, or use :bf16");
    default:
      throw Error(Code::internal, what);
  }
}

// By default nine tenths of the free memory, as on the host; no limit if the device does not report it.
BudgetLimits TableOps::device_limits(const Backend& backend) const {
  BudgetLimits limits;
  limits.tier = "gpu";
  if (backend.device_bytes) limits.total_bytes = *backend.device_bytes;
  if (!backend.device_bytes && memory().free_bytes) limits.total_bytes = *memory().free_bytes / 10 * 9;
  return limits;
}

std::shared_ptr<std::byte> TableOps::device_block(MemoryTag tag, uint64_t bytes, std::string_view purpose) {
  auto reservation = std::make_shared<Reservation>(device_budget_->reserve(tag, bytes, purpose));
  void* data = nullptr;
  check(plugin_.allocate(context_.get(), bytes, &data), "allocate");
  return {static_cast<std::byte*>(data), [this, reservation](std::byte* p) { plugin_.release(context_.get(), p); }};
}

// Rows on a device, all of floats, copied to larger blocks as they grow.
class DeviceRows final : public KvRows {
 public:
  DeviceRows(TableOps& ops, std::span<const uint64_t> row_bytes, int64_t capacity) : ops_(ops), capacity_(capacity) {
    for (const uint64_t bytes : row_bytes) arrays_.push_back({nullptr, bytes});
  }

  void grow_to(int64_t rows) override {
    if (rows <= rows_) return;
    const int64_t grown = std::min(capacity_, std::max({rows, rows_ + rows_ / 2, kMinRows}));
    for (Array& array : arrays_) {
      const auto larger =
          ops_.device_block(MemoryTag::kv_cache, static_cast<uint64_t>(grown) * array.row_bytes, kDeviceRows);
      const Shape shape{rows_, static_cast<int64_t>(array.row_bytes / sizeof(float))};
      if (rows_ > 0) ops_.copy(View(array.block.get(), DType::f32, shape), View(larger.get(), DType::f32, shape));
      array.block = larger;
    }
    rows_ = grown;
  }

  void check_room(int64_t rows) const override {
    uint64_t bytes = 0;
    for (const Array& array : arrays_) bytes += array.row_bytes;
    ops_.check_device_room(static_cast<uint64_t>(std::max<int64_t>(0, rows - rows_)) * bytes);
  }

  std::byte* row(size_t array, int64_t row) const override {
    return arrays_[array].block.get() + static_cast<uint64_t>(row) * arrays_[array].row_bytes;
  }

 private:
  static constexpr int64_t kMinRows = 256;
  struct Array {
    std::shared_ptr<std::byte> block;
    uint64_t row_bytes;
  };
  TableOps& ops_;
  std::vector<Array> arrays_;
  int64_t rows_ = 0, capacity_;
};

std::unique_ptr<KvRows> TableOps::allocate_kv_rows(std::span<const uint64_t> row_bytes, int64_t capacity,
                                                   Budget& budget) {
  if (device_.is_host) return PluginOps::allocate_kv_rows(row_bytes, capacity, budget);
  return std::make_unique<DeviceRows>(*this, row_bytes, capacity);
}

View TableOps::allocate(Shape shape) {
  const uint64_t bytes = static_cast<uint64_t>(shape.elements()) * sizeof(float);
  if (device_.is_host) return View(arena_.allocate(bytes), DType::f32, shape);
  blocks_.push_back(device_block(MemoryTag::activations, bytes, "working memory on the device"));
  return View(blocks_.back().get(), DType::f32, shape);
}

void TableOps::embed(ConstView table, std::span<const float> row_scales, std::span<const int32_t> ids, View out,
                     bool accumulate) {
  if (device_.is_host) return gather_rows(table, row_scales, ids, out, accumulate);
  std::vector<float> rows(static_cast<size_t>(out.shape.elements()));
  gather_rows(table, row_scales, ids, View(rows.data(), DType::f32, out.shape), false);
  if (!accumulate) return upload(rows, out);
  const Scope scope(*this);
  const View gathered = allocate(out.shape);
  upload(rows, gathered);
  add(out, gathered, out);
}

void TableOps::embed(Weight table, std::span<const int32_t> ids, View out) {
  FRUGAL_CHECK(out.rows() == int64_t(ids.size()) && out.cols() == table.inputs);
  for (const int32_t id : ids) FRUGAL_CHECK(id >= 0 && id < table.outputs);
  std::vector<float> rows;
  if (weights_->read_rows(table.id, ids, rows)) return upload(rows, out);
  weights_->use(table.id, [&](int64_t id, int64_t, int64_t) {
    check(plugin_.embed(context_.get(), id, ids.data(), int64_t(ids.size()), matrix_of(out)), "embed");
  });
}

void TableOps::linear(const LinearSpec& spec, View x, View out, View residual) {
  FRUGAL_CHECK(x.cols() == spec.weight.inputs && out.rows() == x.rows() && out.cols() == spec.weight.outputs);
  FRUGAL_CHECK(spec.bias.empty() || int64_t(spec.bias.size()) == spec.weight.outputs);
  if (x.rows() == 0) return;
  weights_->use(spec.weight.id, [&](int64_t id, int64_t first, int64_t outputs) {
    const auto part = [&](View of) { return matrix_of(of ? of.columns(first, outputs) : View()); };
    const auto bias = spec.bias.empty() ? spec.bias : spec.bias.subspan(size_t(first), size_t(outputs));
    check(plugin_.linear(context_.get(), id, vector_of(bias), int32_t(spec.activation), matrix_of(x), part(residual),
                         part(out)),
          "linear");
  });
}

void TableOps::rope(const RopeSpec& spec, std::span<const int32_t> positions, View x, int64_t heads, int64_t head_dim) {
  FRUGAL_CHECK(int64_t(positions.size()) == x.rows() && heads * head_dim == x.cols() && spec.rotary_dim <= head_dim);
  const auto half = static_cast<size_t>(spec.rotary_dim / 2);
  std::vector<float> cosine, sine;
  for (const int32_t position : positions) {
    const size_t at = static_cast<size_t>(position) * half;
    FRUGAL_CHECK(position >= 0 && at + half <= spec.cosine.size());
    cosine.insert(cosine.end(), spec.cosine.begin() + ptrdiff_t(at), spec.cosine.begin() + ptrdiff_t(at + half));
    sine.insert(sine.end(), spec.sine.begin() + ptrdiff_t(at), spec.sine.begin() + ptrdiff_t(at + half));
  }
  check(plugin_.rope(context_.get(), vector_of(cosine), vector_of(sine), spec.rotary_dim, spec.interleaved, heads,
                     head_dim, matrix_of(x)),
        "rope");
}

void TableOps::attention(const AttentionSpec& spec, std::span<const AttentionSpan> spans, View q, View k, View v,
                         View out) {
  check_attention(spec);
  FRUGAL_CHECK(q.cols() == spec.num_heads * spec.head_dim && k.cols() == spec.num_kv_heads * spec.head_dim);
  const frugal_attention plain{spec.num_heads,
                               spec.num_kv_heads,
                               spec.head_dim,
                               spec.scale,
                               spec.causal,
                               spec.window,
                               vector_of(spec.relative_bias),
                               spec.soft_cap};
  check(plugin_.attention(context_.get(), &plain, abi_spans(spans), int64_t(spans.size()), matrix_of(q), matrix_of(k),
                          matrix_of(v), matrix_of(out)),
        "attention");
}

DeviceMemory TableOps::memory() const {
  frugal_memory bytes{};
  check(plugin_.memory(context_.get(), &bytes), "memory");
  return {known(bytes.used_bytes), known(bytes.reserved_bytes), known(bytes.peak_bytes), known(bytes.free_bytes),
          known(bytes.total_bytes)};
}

Svd TableOps::svd(std::span<const float> a, int64_t rows, int64_t cols) {
  FRUGAL_CHECK(rows > 0 && cols > 0 && int64_t(a.size()) == rows * cols);
  const int64_t k = std::min(rows, cols);
  Svd result;
  result.u.resize(static_cast<size_t>(rows * k));
  result.s.resize(static_cast<size_t>(k));
  result.vt.resize(static_cast<size_t>(k * cols));
  check(plugin_.svd(context_.get(), a.data(), rows, cols, result.u.data(), result.s.data(), result.vt.data()), "svd");
  return result;
}

}  // namespace

Backend parse_backend(std::string_view text) {
  Backend backend;
  if (text == "cpu") return backend;
  const auto next = [&] {
    const size_t end = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
  };
  const std::string whole(text);
  backend.plugin = next();
  bool good = backend.plugin == "torch";
  while (good && !text.empty()) {
    const std::string_view part = next();
    const bool number = !part.empty() && part.size() <= 3 && part.find_first_not_of("0123456789") == part.npos;
    if (part == "cpu" || part == "cuda")
      backend.device = part;
    else if (number && backend.device == "cuda")
      backend.device = fmt::format("cuda:{}", part);
    else if (part == "fp32")
      backend.precision = Backend::Precision::fp32;
    else if (part == "bf16")
      backend.precision = Backend::Precision::bf16;
    else if (part == "fp16")
      backend.precision = Backend::Precision::fp16;
    else
      good = false;
  }
  if (!good || whole.ends_with(':'))
    throw Error(Code::usage, fmt::format("unknown backend '{}'", whole))
        .hint("known: cpu, torch, torch:cuda; append :bf16 or :fp16 to halve the weights");
  return backend;
}

fs::path find_torch() {
  return find_plugin("torch", kTorchHint);
}

std::unique_ptr<PluginOps> open_plugin_ops(const fs::path& file, const Backend& backend, int threads, Budget& budget) {
  return std::make_unique<TableOps>(open_plugin(file), backend, threads, budget);
}

std::unique_ptr<Ops> make_ops(const Backend& backend, ThreadPool& threads, Budget& budget) {
  if (backend.native()) return make_cpu_ops(threads, budget);
  return open_plugin_ops(find_plugin(backend.plugin, kTorchHint), backend, threads.threads(), budget);
}

}  // namespace frugal
