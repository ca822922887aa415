// Speed of every kernel on every instruction set of this machine, as a rate and as a share of what the machine could
// do: integer and float multiply-adds against the same instructions on registers alone, M = 1 against plain loads of
// memory.
//   cmake --preset release -DFRUGAL_BENCH=ON && cmake --build build/release --target bench_kernels
//   build/release/tests/bench_kernels --benchmark_filter=avx2/linear
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "compute/kernels/kernels.h"
#include "compute/tensor/packed.h"

namespace {

using namespace frugal;
using kernels::KernelTable;

/// 64-byte aligned memory that is not touched more than once when it is made.
template <typename T>
class Buffer {
 public:
  explicit Buffer(int64_t count) : count_(count) {
    const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
    data_.reset(static_cast<T*>(std::aligned_alloc(64, std::max<size_t>(bytes, 64))));
  }
  T* data() { return data_.get(); }
  int64_t count() const { return count_; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  int64_t count_;
  std::unique_ptr<T, Free> data_;
};

Buffer<float> random_floats(int64_t count) {
  Buffer<float> buffer(count);
  std::minstd_rand random(1);
  for (int64_t i = 0; i < count; ++i) buffer.data()[i] = float(random() % 2001) / 1000.0f - 1.0f;
  return buffer;
}

// Of processor time, as the rates below are: what neighbours on the machine take does not count.
double seconds_of(const std::function<void()>& body) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  };
  const double begin = now();
  body();
  return now() - begin;
}

/// The best of five runs, in units a second.
double best_rate(double units, const std::function<void()>& body) {
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, units / seconds_of(body));
  return best;
}

struct Peaks {
  double int8_ops;  // operations (two a multiply-add) a second
  double float_ops;
  double read_bytes;  // bytes a second from memory, one thread
};

const Peaks& peaks(const KernelTable& table) {
  static std::vector<std::pair<Isa, Peaks>> known;
  for (const auto& [isa, peak] : known)
    if (isa == table.isa) return peak;
  constexpr int64_t kSteps = 2'000'000, kFloats = int64_t(64) << 20;
  Buffer<float> memory(kFloats);
  std::fill_n(memory.data(), kFloats, 1.0f);
  Peaks peak{};
  peak.int8_ops =
      best_rate(2.0 * double(table.peak_int8_products(1)) * kSteps, [&] { table.peak_int8_products(kSteps); });
  peak.float_ops =
      best_rate(2.0 * double(table.peak_float_products(1)) * kSteps, [&] { table.peak_float_products(kSteps); });
  peak.read_bytes = best_rate(4.0 * kFloats, [&] { table.peak_read(memory.data(), kFloats); });
  return known.emplace_back(table.isa, peak).second;
}

void report(benchmark::State& state, const char* unit, double per_iteration, double peak) {
  const double total = per_iteration * double(state.iterations());
  state.counters[unit] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate);
  if (peak > 0) state.counters["share"] = benchmark::Counter(total / peak, benchmark::Counter::kIsRate);
}

struct Shape {
  int64_t rows, inputs, outputs;
};

/// Weights of random codes: what they say does not matter here, only where they lie.
struct RandomWeight {
  Buffer<uint8_t> data;
  Buffer<float> scales;
  PackedWeight view;

  RandomWeight(DType dtype, int64_t outputs, int64_t inputs)
      : data(static_cast<int64_t>(packed_bytes(dtype, outputs, inputs))),
        scales(random_floats(outputs + kOutputBlock)) {
    std::minstd_rand random(1);
    // Bytes below 0x38 make every binary16 scale a finite positive number.
    for (int64_t i = 0; i < data.count(); ++i) data.data()[i] = static_cast<uint8_t>(random() >> 8) % 0x38;
    view = {dtype, outputs, inputs, reinterpret_cast<const std::byte*>(data.data()), scales.data()};
  }
};

void bench_linear(benchmark::State& state, const KernelTable& table, DType dtype, bool grouped, Shape s) {
  RandomWeight weight(dtype, s.outputs, s.inputs);
  Buffer<float> x = random_floats(s.rows * s.inputs), out(s.rows * s.outputs);
  Buffer<std::byte> bytes(static_cast<int64_t>(table.quantized_rows_bytes(s.rows, s.inputs, grouped)));
  const kernels::QuantizedRows rows{bytes.data(), s.rows, s.inputs, grouped};
  const int64_t blocks = weight.view.out_blocks();
  const bool is_float = dtype == DType::linear_f32 || dtype == DType::linear_f16;
  if (!is_float) table.quantize_rows(x.data(), s.inputs, 0, s.rows, rows);
  for (auto _ : state) {
    if (is_float)
      table.linear_float(weight.view, x.data(), s.inputs, 0, s.rows, 0, blocks, out.data(), s.outputs, {});
    else
      table.linear_quantized(weight.view, rows, 0, s.rows, 0, blocks, out.data(), s.outputs, {});
    benchmark::ClobberMemory();
  }
  if (s.rows == 1) return report(state, "GB/s", double(weight.data.count()), peaks(table).read_bytes);
  report(state, "GOP/s", 2.0 * double(s.rows * s.inputs * s.outputs),
         is_float ? peaks(table).float_ops : peaks(table).int8_ops);
}

void bench_attention(benchmark::State& state, const KernelTable& table, int64_t q_tokens, int64_t kv_tokens,
                     int64_t head_dim, bool causal) {
  Buffer<float> q = random_floats(q_tokens * head_dim), k = random_floats(kv_tokens * head_dim);
  Buffer<float> v = random_floats(kv_tokens * head_dim), out(q_tokens * head_dim);
  Buffer<float> scratch(table.attention_scratch_floats(head_dim));
  const kernels::AttentionHead head{q.data(),
                                    head_dim,
                                    {k.data(), head_dim},
                                    {v.data(), head_dim},
                                    out.data(),
                                    head_dim,
                                    q_tokens,
                                    kv_tokens,
                                    head_dim,
                                    0.125f,
                                    kv_tokens - q_tokens,
                                    causal};
  for (auto _ : state) {
    table.attention(head, scratch.data());
    benchmark::ClobberMemory();
  }
  const double pairs =
      causal ? double(q_tokens) * (double(kv_tokens) - double(q_tokens - 1) / 2) : double(q_tokens * kv_tokens);
  report(state, "GFLOP/s", 4.0 * pairs * double(head_dim), peaks(table).float_ops);
}

void bench_rows(benchmark::State& state, const std::function<void(float*)>& kernel, int64_t floats) {
  Buffer<float> x = random_floats(floats);
  for (auto _ : state) {
    kernel(x.data());
    benchmark::ClobberMemory();
  }
  report(state, "Gelem/s", double(floats), 0);
}

template <typename Body>
void add(const KernelTable& table, const std::string& name, Body body) {
  benchmark::RegisterBenchmark((std::string(to_string(table.isa)) + "/" + name).c_str(), body);
}

std::string shape_name(Shape s) {
  return std::to_string(s.rows) + "x" + std::to_string(s.inputs) + "x" + std::to_string(s.outputs);
}

void register_linear(const KernelTable& table) {
  struct Kind {
    DType dtype;
    bool grouped;
  };
  for (const Kind kind :
       {Kind{DType::linear_i8, false}, Kind{DType::linear_i8, true}, Kind{DType::linear_i8g, true},
        Kind{DType::linear_i4, true}, Kind{DType::linear_f32, false}, Kind{DType::linear_f16, false}}) {
    const std::string name = "linear/" + std::string(to_string(kind.dtype)) + (kind.grouped ? "/grouped/" : "/");
    // M = 1: a weight of 64 MiB and more, so that it comes from memory and not from a cache.
    for (const Shape s : {Shape{10, 384, 1536}, Shape{64, 384, 384}, Shape{170, 384, 1152}, Shape{170, 384, 1536},
                          Shape{170, 1536, 384}, Shape{512, 576, 1536}, Shape{1, 1536, 65536}, Shape{1, 384, 1536}})
      add(table, name + shape_name(s),
          [&table, kind, s](benchmark::State& state) { bench_linear(state, table, kind.dtype, kind.grouped, s); });
  }
}

void register_attention(const KernelTable& table) {
  struct Case {
    const char* name;
    int64_t q, kv, dim;
    bool causal;
  };
  for (const Case c :
       {Case{"bert", 170, 170, 32, false}, Case{"query", 10, 10, 32, false}, Case{"prefill", 512, 512, 64, true},
        Case{"long", 512, 8192, 64, true}, Case{"decode", 1, 512, 64, true}, Case{"decode_8k", 1, 8192, 64, true}})
    add(table, std::string("attention/") + c.name,
        [&table, c](benchmark::State& state) { bench_attention(state, table, c.q, c.kv, c.dim, c.causal); });
}

void register_rows(const KernelTable& table) {
  constexpr int64_t kRows = 170, kCols = 384, kCount = kRows * kCols;
  const auto rows = [&table](const char* name, std::function<void(float*)> kernel) {
    add(table, std::string("rows/") + name, [kernel](benchmark::State& state) { bench_rows(state, kernel, kCount); });
  };
  static const std::vector<float> ones(static_cast<size_t>(kCols), 1.0f);
  static std::vector<float> out(static_cast<size_t>(kCount));
  rows("gelu", [&table](float* x) { table.activate(Activation::gelu, x, kCount, out.data()); });
  rows("silu_gated", [&table](float* x) { table.activate_gated(Activation::silu, x, x, kCount, out.data()); });
  rows("softmax", [&table](float* x) { table.softmax(x, kCols, kRows, kCols); });
  rows("layer_norm", [&table](float* x) {
    table.layer_norm(x, kCols, kRows, kCols, ones.data(), ones.data(), 1e-6f, out.data(), kCols);
  });
  rows("rms_norm",
       [&table](float* x) { table.rms_norm(x, kCols, kRows, kCols, ones.data(), 1e-6f, out.data(), kCols); });
  rows("add", [&table](float* x) { table.add(x, out.data(), kCount, out.data()); });
  for (const bool grouped : {false, true}) {
    auto bytes =
        std::make_shared<Buffer<std::byte>>(static_cast<int64_t>(table.quantized_rows_bytes(kRows, kCols, grouped)));
    rows(grouped ? "quantize/grouped" : "quantize", [&table, bytes, grouped](float* x) {
      table.quantize_rows(x, kCols, 0, kRows, {bytes->data(), kRows, kCols, grouped});
    });
  }
}

void register_vectors(const KernelTable& table) {
  add(table, "vectors/dot_i8_rows/384", [&table](benchmark::State& state) {
    constexpr int64_t kRows = 100'000, kDim = 384;
    Buffer<int8_t> rows(kRows * kDim);
    for (int64_t i = 0; i < rows.count(); ++i) rows.data()[i] = static_cast<int8_t>(i % 255 - 127);
    Buffer<int32_t> out(kRows);
    for (auto _ : state) {
      table.dot_i8_rows(rows.data(), rows.data(), kDim, kRows, kDim, out.data());
      benchmark::ClobberMemory();
    }
    report(state, "GB/s", double(kRows * kDim), peaks(table).read_bytes);
  });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Isa isa : supported_isas()) {
    const KernelTable& table = kernels::table(isa);
    register_linear(table);
    register_attention(table);
    register_rows(table);
    register_vectors(table);
    const std::string name(to_string(isa));
    const Peaks& peak = peaks(table);
    benchmark::AddCustomContext(name + " int8 peak", std::to_string(peak.int8_ops / 1e9) + " GOP/s");
    benchmark::AddCustomContext(name + " fp32 peak", std::to_string(peak.float_ops / 1e9) + " GFLOP/s");
    benchmark::AddCustomContext(name + " read", std::to_string(peak.read_bytes / 1e9) + " GB/s");
  }
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
