#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "compute/kernels/support.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

std::vector<int8_t> random_codes(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> codes(static_cast<size_t>(count));
  for (int8_t& c : codes) c = static_cast<int8_t>(int(random() % 255) - 127);
  return codes;
}

}  // namespace

TEST_CASE("a dot product matches the sum in double at every length and alignment") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t count : edge_lengths())
      for (const int64_t shift : {0, 1, 3}) {
        Guarded<float> a(random_floats(count, 1), shift), b(random_floats(count, 2), shift + 1);
        double expected = 0;
        for (int64_t i = 0; i < count; ++i) expected += double(a[i]) * double(b[i]);
        REQUIRE(close(table.dot_f32(a.data(), b.data(), count), expected, 1e-6, 1e-5));
      }
  });
}

TEST_CASE("int8 dot products are exact at every length, alignment and stride") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t dim : edge_lengths())
      for (const int64_t shift : {0, 1, 3}) {
        constexpr int64_t kRows = 5;
        const int64_t stride = dim + 2;
        Guarded<int8_t> query(random_codes(dim, 3), shift), rows(random_codes(kRows * stride, 4), shift);
        std::vector<int32_t> out(kRows);
        table.dot_i8_rows(query.data(), rows.data(), stride, kRows, dim, out.data());
        for (int64_t r = 0; r < kRows; ++r) {
          int32_t expected = 0;
          for (int64_t i = 0; i < dim; ++i) expected += query[i] * rows[r * stride + i];
          REQUIRE(out[static_cast<size_t>(r)] == expected);
        }
      }
  });
}

TEST_CASE("int8 dot products of extreme codes do not saturate") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int sign : {1, -1}) {
      const std::vector<int8_t> query(1000, 127), row(1000, static_cast<int8_t>(sign * 127));
      int32_t out = 0;
      table.dot_i8_rows(query.data(), row.data(), 1000, 1, 1000, &out);
      CHECK(out == sign * 127 * 127 * 1000);
    }
  });
}

TEST_CASE("a quantised vector is within half a step of the vector, and its largest value is ±127") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t count : edge_lengths()) {
      CAPTURE(count);
      const std::vector<float> x = random_floats(count, 5, -0.3f, 0.2f);
      Guarded<int8_t> codes(count, 1);
      const float scale = table.quantize_vector(x.data(), count, codes.data());
      CHECK(codes.intact());
      int highest = 0;
      for (int64_t i = 0; i < count; ++i) {
        REQUIRE(std::fabs(double(scale) * codes[i] - double(x[static_cast<size_t>(i)])) <= 0.50001 * double(scale));
        highest = std::max(highest, std::abs(int(codes[i])));
      }
      if (count > 0) CHECK(highest == 127);
    }
  });
}

TEST_CASE("a zero vector has zero codes and scale 0") {
  for_each_isa([](const kernels::KernelTable& table) {
    const std::vector<float> zeros(100, 0.0f);
    std::vector<int8_t> codes(100, 1);
    CHECK(table.quantize_vector(zeros.data(), 100, codes.data()) == 0.0f);
    CHECK(std::all_of(codes.begin(), codes.end(), [](int8_t c) { return c == 0; }));
  });
}

TEST_CASE("a table names its own instruction set, and one that the machine lacks is an error") {
  for_each_isa([](const kernels::KernelTable& table) { CHECK(kernels::table(table.isa).isa == table.isa); });
  for (const Isa isa : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512vnni, Isa::amx})
    if (!supports(isa)) CHECK_THROWS_AS(kernels::table(isa), Error);
}

TEST_CASE("floats become the nearest binary16, ties to even, and what is beyond its range the highest") {
  for_each_isa([](const kernels::KernelTable& table) {
    for (const int64_t count : {0, 1, 7, 8, 9, 16, 31, 64, 100}) {
      CAPTURE(count);
      std::vector<float> x = random_floats(count, 3, -300, 300);
      if (count > 6) {
        x[0] = 1e9f;
        x[1] = -65520.0f;  // halfway to what would be infinity
        x[2] = 2049.0f;    // halfway between 2048 and 2050
        x[3] = 2051.0f;    // halfway between 2050 and 2052
        x[4] = 3e-8f;      // rounds to the least subnormal, 2⁻²⁴
        x[5] = -0.0f;
        x[6] = 1e-9f;
      }
      Guarded<uint16_t> halves(count, 1);
      table.narrow_vector(x.data(), count, halves.data());
      REQUIRE(halves.intact());
      for (int64_t i = 0; i < count; ++i) {
        const float expected = std::clamp(x[static_cast<size_t>(i)], -65504.0f, 65504.0f);
        // The distance to the next binary16 is 2⁻¹⁰ of its power of two, or 2⁻²⁴ below 2⁻¹⁴.
        const float step = std::ldexp(1.0f, std::max(std::ilogb(expected), -14) - 10);
        REQUIRE(std::fabs(f16_to_f32(halves[i]) - expected) <= step / 2);
      }
      if (count <= 6) continue;
      CHECK(f16_to_f32(halves[0]) == 65504.0f);
      CHECK(f16_to_f32(halves[1]) == -65504.0f);
      CHECK(f16_to_f32(halves[2]) == 2048.0f);
      CHECK(f16_to_f32(halves[3]) == 2052.0f);
      CHECK(f16_to_f32(halves[4]) == std::ldexp(1.0f, -24));
      CHECK(halves[5] == 0x8000);
      CHECK(halves[6] == 0);
    }
  });
}
