#include "kernels/support.h"

#include <algorithm>

#include "reference/reference.h"
#include "tensor/packed.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr DType kQuantized[] = {DType::linear_i8, DType::linear_i8g, DType::linear_i4};

/// A packed weight and the memory it lies in.
struct Packed {
  std::vector<std::byte> data;
  std::vector<float> scales;
  PackedWeight view;

  Packed(DType dtype, std::span<const float> weight, int64_t outputs, int64_t inputs) {
    data.resize(packed_bytes(dtype, outputs, inputs));
    view = {dtype, outputs, inputs, data.data(), nullptr};
    scales.resize(static_cast<size_t>(view.out_blocks() * kOutputBlock));
    if (dtype == DType::linear_i8) view.scales = scales.data();
    for (int64_t block = 0; block < view.out_blocks(); ++block) {
      const int64_t rows = std::min(kOutputBlock, outputs - block * kOutputBlock);
      pack_block(dtype,
                 weight.subspan(static_cast<size_t>(block * kOutputBlock * inputs), static_cast<size_t>(rows * inputs)),
                 inputs, data.data() + static_cast<uint64_t>(block) * packed_block_bytes(dtype, inputs),
                 scales.data() + block * kOutputBlock);
    }
  }

  /// What the weight says after packing, [outputs, inputs].
  std::vector<float> unpacked() const {
    std::vector<float> rows(static_cast<size_t>(view.outputs * view.inputs));
    for (int64_t o = 0; o < view.outputs; ++o)
      unpack_output(view, o,
                    std::span(rows).subspan(static_cast<size_t>(o * view.inputs), static_cast<size_t>(view.inputs)));
    return rows;
  }
};

/// Activations as the contract quantises them, dequantised again: the oracle's own arithmetic.
std::vector<float> quantized_and_back(std::span<const float> x, int64_t rows, int64_t cols, bool grouped) {
  std::vector<float> result(x.size());
  const int64_t span = grouped ? 32 : std::max<int64_t>(cols, 1);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t begin = 0; begin < cols; begin += span) {
      const int64_t end = std::min(begin + span, cols);
      float highest = 0;
      for (int64_t c = begin; c < end; ++c)
        highest = std::max(highest, std::fabs(x[static_cast<size_t>(r * cols + c)]));
      const float scale = highest / 127.0f;
      for (int64_t c = begin; c < end; ++c) {
        const size_t i = static_cast<size_t>(r * cols + c);
        result[i] = highest > 0 ? scale * std::nearbyint(x[i] * (127.0f / highest)) : 0.0f;
      }
    }
  }
  return result;
}

/// 64-byte aligned bytes, as the contract of QuantizedRows asks.
struct AlignedBytes {
  std::vector<std::byte> storage;
  std::byte* data;
  explicit AlignedBytes(uint64_t bytes) : storage(bytes + 64) {
    data = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) % 64;
  }
};

struct Problem {
  int64_t rows;
  int64_t inputs;
  int64_t outputs;
};

std::vector<float> multiply(const kernels::Table& table, const Packed& weight, std::span<const float> x, int64_t rows,
                            bool grouped, const kernels::Epilogue& epilogue = {}) {
  const int64_t inputs = weight.view.inputs, outputs = weight.view.outputs;
  std::vector<float> out(static_cast<size_t>(rows * outputs));
  if (weight.view.dtype == DType::linear_f32 || weight.view.dtype == DType::linear_f16) {
    table.linear_float(weight.view, x.data(), inputs, 0, rows, 0, weight.view.out_blocks(), out.data(), outputs,
                       epilogue);
    return out;
  }
  AlignedBytes bytes(table.quantized_rows_bytes(rows, inputs, grouped));
  const kernels::QuantizedRows quantized{bytes.data, rows, inputs, grouped};
  table.quantize_rows(x.data(), inputs, 0, rows, quantized);
  table.linear_quantized(weight.view, quantized, 0, rows, 0, weight.view.out_blocks(), out.data(), outputs, epilogue);
  return out;
}

/// Σ |x·w|: what a relative rounding error is relative to.
double magnitude(std::span<const float> x, std::span<const float> w, int64_t inputs, int64_t row, int64_t output) {
  double sum = 0;
  for (int64_t i = 0; i < inputs; ++i)
    sum += std::fabs(double(x[static_cast<size_t>(row * inputs + i)]) *
                     double(w[static_cast<size_t>(output * inputs + i)]));
  return sum;
}

void check_against_reference(std::span<const float> actual, std::span<const float> x, std::span<const float> w,
                             const Problem& p, double relative) {
  std::vector<float> expected(actual.size());
  reference::linear(x, w, {}, p.rows, p.inputs, p.outputs, expected);
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t o = 0; o < p.outputs; ++o) {
      const size_t i = static_cast<size_t>(r * p.outputs + o);
      CAPTURE(r);
      CAPTURE(o);
      REQUIRE(std::fabs(actual[i] - expected[i]) <= relative * magnitude(x, w, p.inputs, r, o) + 1e-6);
    }
}

const Problem kProblems[] = {{1, 1, 1},    {1, 32, 16},  {2, 31, 15},   {3, 33, 17},  {5, 64, 33}, {6, 96, 48},
                             {7, 100, 70}, {13, 64, 16}, {12, 128, 64}, {25, 40, 24}, {1, 384, 96}};

}  // namespace

TEST_CASE("a quantised linear layer is the product of the dequantised weight and rows, for every type, shape and ISA") {
  for_each_isa([](const kernels::Table& table) {
    for (const Problem& p : kProblems) {
      for (const DType dtype : kQuantized) {
        for (const bool grouped : {false, true}) {
          CAPTURE(p.rows);
          CAPTURE(p.inputs);
          CAPTURE(p.outputs);
          CAPTURE(int(dtype));
          CAPTURE(grouped);
          const std::vector<float> x = random_floats(p.rows * p.inputs, 1);
          const Packed weight(dtype, random_floats(p.outputs * p.inputs, 2), p.outputs, p.inputs);
          check_against_reference(multiply(table, weight, x, p.rows, grouped),
                                  quantized_and_back(x, p.rows, p.inputs, grouped), weight.unpacked(), p, 2e-6);
        }
      }
    }
  });
}

TEST_CASE("a float linear layer matches the reference, for fp32 and fp16 weights") {
  for_each_isa([](const kernels::Table& table) {
    for (const Problem& p : kProblems) {
      for (const DType dtype : {DType::linear_f32, DType::linear_f16}) {
        const std::vector<float> x = random_floats(p.rows * p.inputs, 3);
        const Packed weight(dtype, random_floats(p.outputs * p.inputs, 4), p.outputs, p.inputs);
        check_against_reference(multiply(table, weight, x, p.rows, false), x, weight.unpacked(), p, 2e-6);
      }
    }
  });
}
