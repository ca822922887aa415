#include "compute/kernels/support.h"

#include <algorithm>
#include <array>

#include "compute/tensor/packed.h"
#include "oracle/oracle.h"

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

std::vector<float> multiply(const kernels::KernelTable& table, const Packed& weight, std::span<const float> x,
                            int64_t rows, bool grouped, const kernels::Epilogue& epilogue = {}) {
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

// Below and above the rows from which weights are widened or multiplied by tiles, more rows than a panel, more inputs
// than a chunk or than a strip of tiles.
const Problem kProblems[] = {{1, 1, 1},       {1, 32, 16},   {2, 31, 15},  {3, 33, 17},    {5, 64, 33},
                             {6, 96, 48},     {7, 100, 70},  {13, 64, 16}, {12, 128, 64},  {25, 40, 24},
                             {1, 384, 96},    {300, 33, 20}, {29, 70, 50}, {26, 1100, 40}, {41, 1100, 40},
                             {300, 2100, 20}, {40, 8300, 20}};

// Bytes of a packed weight written directly, so that codes reach values that packing never makes.
void fill_extreme(Packed& weight) {
  const DType dtype = weight.view.dtype;
  std::fill(weight.scales.begin(), weight.scales.end(), 1.0f);
  if (dtype == DType::linear_i8) {
    for (size_t i = 0; i < weight.data.size(); ++i) weight.data[i] = std::byte(i / 64 % 3 == 0 ? 0 : 255);
    return;
  }
  const uint64_t block_bytes = packed_block_bytes(dtype, weight.view.inputs);
  for (int64_t output = 0; output < weight.view.outputs; ++output)
    for (int64_t group = 0; group < weight.view.padded_inputs() / 32; ++group) {
      const int highest = dtype == DType::linear_i4 ? 15 : 255;
      std::array<uint8_t, 32> codes;
      for (size_t i = 0; i < 32; ++i)
        codes[i] = uint8_t(output % 3 == 0 ? highest : output % 3 == 1 ? 0 : (i % 2) * size_t(highest));
      put_group(dtype, weight.data.data() + uint64_t(output / 16) * block_bytes, group, output % 16, codes,
                f32_to_f16(1.0f), f32_to_f16(-8.0f));
    }
}

// Gives every group of the outputs from `from` on the minimum −8 d, as in Q4_0.
void center(Packed& weight, int64_t from) {
  const uint64_t block_bytes = packed_block_bytes(DType::linear_i4, weight.view.inputs);
  for (int64_t output = from; output < weight.view.outputs; ++output)
    for (int64_t group = 0; group < weight.view.padded_inputs() / 32; ++group) {
      std::array<uint8_t, 32> codes;
      for (size_t i = 0; i < 32; ++i) codes[i] = uint8_t((size_t(output) * 5 + size_t(group) * 3 + i * 7) % 16);
      const float d = 0.01f * float(1 + (output + group) % 9);
      const uint16_t half = f32_to_f16(d);
      put_group(DType::linear_i4, weight.data.data() + uint64_t(output / 16) * block_bytes, group, output % 16, codes,
                half, f32_to_f16(-8.0f * f16_to_f32(half)));
    }
}

}  // namespace

TEST_CASE("a quantised linear layer is the product of the dequantised weight and rows, for every type, shape and ISA") {
  for_each_isa([](const kernels::KernelTable& table) {
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

TEST_CASE("4-bit weights whose minima are those of Q4_0, all or some, give the product of what they say") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t rows : {1, 7, 50}) {
      for (const int64_t from : {0, 16, 37}) {
        for (const bool grouped : {false, true}) {
          const Problem p{rows, 1100, 70};
          const std::vector<float> x = random_floats(p.rows * p.inputs, 1);
          Packed weight(DType::linear_i4, random_floats(p.outputs * p.inputs, 2), p.outputs, p.inputs);
          center(weight, from);
          CAPTURE(from);
          check_against_reference(multiply(table, weight, x, p.rows, grouped),
                                  quantized_and_back(x, p.rows, p.inputs, grouped), weight.unpacked(), p, 2e-6);
        }
      }
    }
  });
}

TEST_CASE("a row of a quantised layer has the same bits alone and among many rows") {
  constexpr int64_t kRows = 80, kOutputs = 70;
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t inputs : {96, 1100}) {
      const std::vector<float> x = random_floats(kRows * inputs, 1);
      for (const DType dtype : kQuantized) {
        for (const bool grouped : {false, true}) {
          CAPTURE(int(dtype));
          CAPTURE(grouped);
          Packed weight(dtype, random_floats(kOutputs * inputs, 2), kOutputs, inputs);
          if (dtype == DType::linear_i4) center(weight, 37);
          const std::vector<float> all = multiply(table, weight, x, kRows, grouped);
          for (const int64_t row : {0, 41, 79}) {
            const std::span<const float> one = std::span(x).subspan(size_t(row * inputs), size_t(inputs));
            const std::vector<float> alone = multiply(table, weight, one, 1, grouped);
            REQUIRE(std::equal(alone.begin(), alone.end(), all.begin() + row * kOutputs));
          }
        }
      }
    }
  });
}

TEST_CASE("a float linear layer matches the reference, for fp32 and fp16 weights") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const Problem& p : kProblems) {
      for (const DType dtype : {DType::linear_f32, DType::linear_f16}) {
        const std::vector<float> x = random_floats(p.rows * p.inputs, 3);
        const Packed weight(dtype, random_floats(p.outputs * p.inputs, 4), p.outputs, p.inputs);
        check_against_reference(multiply(table, weight, x, p.rows, false), x, weight.unpacked(), p, 2e-6);
      }
    }
  });
}

TEST_CASE("extreme codes against extreme activations give exact sums: nothing saturates") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t rows : {1, 6, 13, 24, 40}) {
      for (const DType dtype : kQuantized) {
        for (const bool grouped : {false, true}) {
          constexpr int64_t kInputs = 96, kOutputs = 20;
          Packed weight(dtype, std::vector<float>(kInputs * kOutputs, 1.0f), kOutputs, kInputs);
          fill_extreme(weight);
          std::vector<float> x(static_cast<size_t>(rows * kInputs));
          for (size_t i = 0; i < x.size(); ++i) x[i] = i / kInputs % 3 == 2 && i % 2 == 1 ? -127.0f : 127.0f;
          const std::vector<float> w = weight.unpacked();
          const std::vector<float> actual = multiply(table, weight, x, rows, grouped);
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t o = 0; o < kOutputs; ++o) {
              int64_t expected = 0;
              for (int64_t i = 0; i < kInputs; ++i)
                expected +=
                    int64_t(x[static_cast<size_t>(r * kInputs + i)]) * int64_t(w[static_cast<size_t>(o * kInputs + i)]);
              CAPTURE(int(dtype));
              CAPTURE(r);
              CAPTURE(o);
              REQUIRE(actual[static_cast<size_t>(r * kOutputs + o)] == float(expected));
            }
        }
      }
    }
  });
}

TEST_CASE("bias, activation and residual are applied in this order, and the residual may be the output itself") {
  const Activation kActivations[] = {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::quick_gelu,
                                     Activation::silu, Activation::relu, Activation::tanh};
  const auto value_of = [](Activation f, float x) {
    switch (f) {
      case Activation::gelu:
        return reference::gelu(x);
      case Activation::gelu_tanh:
        return reference::gelu_tanh(x);
      case Activation::quick_gelu:
        return reference::quick_gelu(x);
      case Activation::silu:
        return reference::silu(x);
      case Activation::relu:
        return reference::relu(x);
      case Activation::tanh:
        return reference::tanh(x);
      case Activation::none:
        break;
    }
    return x;
  };
  constexpr int64_t kRows = 45, kInputs = 40, kOutputs = 27, kStride = 31;
  const std::vector<float> x = random_floats(kRows * kInputs, 6), w = random_floats(kOutputs * kInputs, 7);
  const std::vector<float> bias = random_floats(kOutputs, 8), residual = random_floats(kRows * kStride, 9);
  for_each_isa([&](const kernels::KernelTable& table) {
    for (const DType dtype : {DType::linear_i8, DType::linear_i4, DType::linear_f32}) {
      const Packed weight(dtype, w, kOutputs, kInputs);
      const std::vector<float> plain = multiply(table, weight, x, kRows, false);
      AlignedBytes bytes(table.quantized_rows_bytes(kRows, kInputs, false));
      const kernels::QuantizedRows quantized{bytes.data, kRows, kInputs, false};
      table.quantize_rows(x.data(), kInputs, 0, kRows, quantized);
      for (const Activation activation : kActivations) {
        for (const bool with_bias : {false, true}) {
          for (const bool with_residual : {false, true}) {
            std::vector<float> out = residual;  // the residual aliases the output
            kernels::Epilogue epilogue{with_bias ? bias.data() : nullptr, activation, nullptr, 0};
            if (with_residual) {
              epilogue.residual = out.data();
              epilogue.residual_stride = kStride;
            }
            if (dtype == DType::linear_f32)
              table.linear_float(weight.view, x.data(), kInputs, 0, kRows, 0, 2, out.data(), kStride, epilogue);
            else
              table.linear_quantized(weight.view, quantized, 0, kRows, 0, 2, out.data(), kStride, epilogue);
            for (int64_t r = 0; r < kRows; ++r)
              for (int64_t o = 0; o < kStride; ++o) {
                const size_t i = static_cast<size_t>(r * kStride + o);
                if (o >= kOutputs) {
                  REQUIRE(out[i] == residual[i]);
                  continue;
                }
                const float sum =
                    plain[static_cast<size_t>(r * kOutputs + o)] + (with_bias ? bias[static_cast<size_t>(o)] : 0);
                const double expected = double(value_of(activation, sum)) + (with_residual ? double(residual[i]) : 0.0);
                REQUIRE(close(out[i], expected, 1e-5, 1e-5));
              }
          }
        }
      }
    }
  });
}

TEST_CASE("a part of the rows and of the blocks of outputs leaves the rest of the output untouched") {
  constexpr int64_t kRows = 60, kInputs = 64, kOutputs = 70;
  const std::vector<float> x = random_floats(kRows * kInputs, 10), w = random_floats(kOutputs * kInputs, 11);
  for_each_isa([&](const kernels::KernelTable& table) {
    for (const DType dtype :
         {DType::linear_i8, DType::linear_i8g, DType::linear_i4, DType::linear_f32, DType::linear_f16}) {
      const Packed weight(dtype, w, kOutputs, kInputs);
      const bool is_float = dtype == DType::linear_f32 || dtype == DType::linear_f16;
      const std::vector<float> whole = multiply(table, weight, x, kRows, true);
      AlignedBytes bytes(table.quantized_rows_bytes(kRows, kInputs, true));
      const kernels::QuantizedRows quantized{bytes.data, kRows, kInputs, true};
      for (int64_t r = 0; r < kRows; r += 3)  // as threads would: each its rows
        table.quantize_rows(x.data(), kInputs, r, std::min(r + 3, kRows), quantized);
      for (const auto& [row_begin, row_end] : {std::pair<int64_t, int64_t>{3, 3}, {2, 5}, {1, 19}, {3, 58}}) {
        for (const auto& [block_begin, block_end] : {std::pair<int64_t, int64_t>{0, 0}, {1, 3}, {4, 5}}) {
          std::vector<float> out(kRows * kOutputs, 77.0f);
          if (is_float)
            table.linear_float(weight.view, x.data(), kInputs, row_begin, row_end, block_begin, block_end, out.data(),
                               kOutputs, {});
          else
            table.linear_quantized(weight.view, quantized, row_begin, row_end, block_begin, block_end, out.data(),
                                   kOutputs, {});
          for (int64_t r = 0; r < kRows; ++r)
            for (int64_t o = 0; o < kOutputs; ++o) {
              const bool inside = r >= row_begin && r < row_end && o / 16 >= block_begin && o / 16 < block_end;
              const size_t i = static_cast<size_t>(r * kOutputs + o);
              if (!inside) REQUIRE(out[i] == 77.0f);
              if (inside) REQUIRE(close(out[i], whole[i], 1e-5, 1e-5));
            }
        }
      }
    }
  });
}

TEST_CASE("rows of zeros, of vanishing values and with one large value quantise without harm") {
  for_each_isa([](const kernels::KernelTable& table) {
    constexpr int64_t kInputs = 64;
    std::vector<float> x(3 * kInputs, 0.0f);
    for (int64_t i = 0; i < kInputs; ++i)
      x[static_cast<size_t>(kInputs + i)] = 1e-42f;  // subnormal: too small to scale
    x[2 * kInputs + 5] = 1e30f;
    const Packed weight(DType::linear_i8, std::vector<float>(16 * kInputs, 1.0f), 16, kInputs);
    for (const bool grouped : {false, true}) {
      const std::vector<float> out = multiply(table, weight, x, 3, grouped);
      CHECK(out[0] == 0.0f);
      CHECK(std::fabs(out[16]) < 1e-30f);
      CHECK(close(out[32], 1e30, 1e-5, 0));
    }
  });
}
