#include "compute/tensor/packed.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "base/error.h"

using namespace frugal;

namespace {

constexpr DType kLinear[] = {DType::linear_f32, DType::linear_f16, DType::linear_i8, DType::linear_i8g,
                             DType::linear_i4};

struct Shape2 {
  int64_t outputs, inputs;
};
constexpr Shape2 kShapes[] = {{1, 1}, {16, 32}, {15, 31}, {17, 33}, {40, 100}};

std::vector<float> random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-2, 3);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = uniform(random);
  return values;
}

struct Packed {
  std::vector<std::byte> data;
  std::vector<float> scales;
  PackedWeight view;
};

Packed pack(DType dtype, std::span<const float> weight, Shape2 shape) {
  Packed packed;
  packed.data.resize(packed_bytes(dtype, shape.outputs, shape.inputs));
  packed.view = {dtype, shape.outputs, shape.inputs, packed.data.data(), nullptr};
  packed.scales.resize(static_cast<size_t>(packed.view.out_blocks() * kOutputBlock));
  packed.view.scales = packed.scales.data();
  for (int64_t block = 0; block < packed.view.out_blocks(); ++block) {
    const int64_t first = block * kOutputBlock;
    const int64_t rows = std::min(kOutputBlock, shape.outputs - first);
    pack_block(dtype, weight.subspan(size_t(first * shape.inputs), size_t(rows * shape.inputs)), shape.inputs,
               packed.data.data() + uint64_t(block) * packed_block_bytes(dtype, shape.inputs),
               packed.scales.data() + first);
  }
  return packed;
}

std::vector<float> row_of(const Packed& packed, int64_t output) {
  std::vector<float> row(size_t(packed.view.inputs));
  unpack_output(packed.view, output, row);
  return row;
}

// The largest error that rounding to the type may make within values[begin, end) (a row, or a group of 32).
double allowed_error(DType dtype, std::span<const float> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double highest = std::max(std::fabs(*low), std::fabs(*high));
  switch (dtype) {
    case DType::linear_f32:
      return 0;
    case DType::linear_f16:
      return highest * 0x1p-11;
    case DType::linear_i8:
      return highest / 127 * 0.5001;
    // The scale itself is rounded to 11 bits; the code at the far end carries that error 127 (15) times.
    case DType::linear_i8g:
      return highest / 127 * 0.5 + highest * 0x1p-10;
    default:
      return double(*high - *low) / 15 * 0.5 + highest * 0x1p-9;
  }
}

}  // namespace

TEST_CASE("a packed weight says what was packed, within half a step of its type") {
  for (const DType dtype : kLinear) {
    for (const Shape2 shape : kShapes) {
      CAPTURE(int(dtype));
      CAPTURE(shape.outputs);
      CAPTURE(shape.inputs);
      const std::vector<float> weight = random_floats(shape.outputs * shape.inputs, 1);
      const Packed packed = pack(dtype, weight, shape);
      const int64_t span = dtype == DType::linear_i8 ? shape.inputs : 32;
      for (int64_t o = 0; o < shape.outputs; ++o) {
        const std::vector<float> row = row_of(packed, o);
        const std::span<const float> source(weight.data() + o * shape.inputs, size_t(shape.inputs));
        for (int64_t i = 0; i < shape.inputs; ++i) {
          const int64_t begin = i / span * span;
          const auto group = source.subspan(size_t(begin), size_t(std::min(span, shape.inputs - begin)));
          REQUIRE(std::fabs(double(row[size_t(i)]) - double(source[size_t(i)])) <= allowed_error(dtype, group) + 1e-9);
        }
      }
    }
  }
}

TEST_CASE("outputs of padding are zero, and a block unpacks to the same rows as its outputs one by one") {
  for (const DType dtype : kLinear) {
    const Shape2 shape{17, 33};
    const Packed packed = pack(dtype, random_floats(shape.outputs * shape.inputs, 2), shape);
    std::vector<float> rows(size_t(16 * shape.inputs));
    unpack_block(packed.view, 1, rows);
    const std::vector<float> row = row_of(packed, 16);
    CHECK(std::equal(row.begin(), row.end(), rows.begin()));
    for (size_t i = row.size(); i < rows.size(); ++i) REQUIRE(rows[i] == 0.0f);
  }
}

TEST_CASE("a weight of zeros, and of one value, is kept") {
  for (const DType dtype : kLinear) {
    for (const float value : {0.0f, 0.5f, -0.25f}) {
      CAPTURE(int(dtype));
      const Packed packed = pack(dtype, std::vector<float>(16 * 64, value), {16, 64});
      for (const float v : row_of(packed, 7)) REQUIRE(std::fabs(v - value) <= std::fabs(value) * 1e-3f);
    }
  }
}

TEST_CASE("quantised groups are put in place without rounding, whatever their codes") {
  for (const DType dtype : {DType::linear_i8g, DType::linear_i4}) {
    const int levels = dtype == DType::linear_i4 ? 16 : 256;
    std::vector<std::byte> data(packed_bytes(dtype, 16, 64));
    for (int64_t output = 0; output < 16; ++output)
      for (int64_t group = 0; group < 2; ++group) {
        std::array<uint8_t, 32> codes;
        for (size_t i = 0; i < 32; ++i) codes[i] = uint8_t((output * 7 + group * 11 + int64_t(i) * 5) % levels);
        put_group(dtype, data.data(), group, output, codes, f32_to_f16(0.5f), f32_to_f16(-2.0f));
      }
    const PackedWeight weight{dtype, 16, 64, data.data(), nullptr};
    std::vector<float> row(64);
    for (int64_t output = 0; output < 16; ++output) {
      unpack_output(weight, output, row);
      for (int64_t i = 0; i < 64; ++i) {
        const int code = int((output * 7 + i / 32 * 11 + i % 32 * 5) % levels);
        const float expected = dtype == DType::linear_i4 ? 0.5f * float(code) - 2.0f : 0.5f * float(code - 128);
        REQUIRE(row[size_t(i)] == expected);
      }
    }
  }
}

TEST_CASE("weights on a grid of 16 levels around zero are kept in 4 bits without loss, whatever levels they use") {
  for (const int lowest : {-8, -7, -3, 0, 5}) {
    for (const float d : {0.0625f, -0.0625f, 0.0125885009765625f}) {  // the last is fp16, no power of two
      CAPTURE(lowest);
      CAPTURE(d);
      std::vector<float> rows(16 * 64);
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = d * float(lowest + int(i * 7 % size_t(8 - lowest)));
      const Packed packed = pack(DType::linear_i4, rows, {16, 64});
      for (int64_t output = 0; output < 16; ++output) {
        const std::vector<float> row = row_of(packed, output);
        REQUIRE(std::equal(row.begin(), row.end(), rows.begin() + output * 64));
      }
    }
  }
}

TEST_CASE("sizes follow the layout of the header, and impossible ones are internal errors") {
  CHECK(packed_bytes(DType::linear_i8, 17, 33) == 2 * 64 * 16);
  CHECK(packed_bytes(DType::linear_i8g, 16, 32) == 544);
  CHECK(packed_bytes(DType::linear_i4, 16, 64) == 640);
  CHECK(packed_bytes(DType::linear_f16, 1, 1) == 32 * 16 * 2);
  CHECK_THROWS_AS(packed_bytes(DType::linear_i8, 0, 32), Error);
  CHECK_THROWS_AS(packed_bytes(DType::f32, 16, 32), Error);
  CHECK_THROWS_AS(packed_bytes(DType::linear_i8, int64_t(1) << 40, 32), Error);
}
