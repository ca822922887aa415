#include "compute/tensor/dtype.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

using namespace frugal;

namespace {

// The value of a binary16 by its definition (IEEE 754-2019, 3.4).
double value_of_half(uint16_t half) {
  const double sign = half & 0x8000 ? -1.0 : 1.0;
  const int exponent = (half >> 10) & 31;
  const int mantissa = half & 1023;
  if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
  return exponent == 0 ? sign * std::ldexp(mantissa, -24) : sign * std::ldexp(1024 + mantissa, exponent - 25);
}

// The nearest binary16 by search over the neighbours of a candidate: slow, and with no rounding of its own.
bool is_nearest_half(float value, uint16_t half) {
  if (std::fabs(value) >= 65520) return (half & 0x7fff) == 0x7c00;
  const uint16_t magnitude = half & 0x7fff;
  const double target = std::fabs(double(value));
  const double error = std::fabs(value_of_half(magnitude) - target);
  const double below = magnitude > 0 ? std::fabs(value_of_half(uint16_t(magnitude - 1)) - target) : HUGE_VAL;
  const double above = magnitude < 0x7bff ? std::fabs(value_of_half(uint16_t(magnitude + 1)) - target) : HUGE_VAL;
  if (error < below && error < above) return true;
  return (error == below || error == above) && error <= below && error <= above && magnitude % 2 == 0;  // a tie: even
}

}  // namespace

TEST_CASE("every one of the 65,536 halves has its IEEE value and survives the way to float and back") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = uint16_t(bits);
    const float value = f16_to_f32(half);
    CAPTURE(bits);
    if (std::isnan(value_of_half(half))) {
      REQUIRE(std::isnan(value));
      REQUIRE((f32_to_f16(value) & 0x7c00) == 0x7c00);
      REQUIRE((f32_to_f16(value) & 0x03ff) != 0);
      continue;
    }
    REQUIRE(double(value) == value_of_half(half));
    REQUIRE(std::signbit(value) == bool(half & 0x8000));
    REQUIRE(f32_to_f16(value) == half);
  }
}

TEST_CASE("floats round to the nearest half, ties to even, from below the smallest to overflow") {
  std::mt19937 random(5);
  for (int i = 0; i < 300'000; ++i) {
    const float value = std::bit_cast<float>(uint32_t(random()));
    CAPTURE(value);
    if (std::isnan(value)) continue;
    const uint16_t half = f32_to_f16(value);
    REQUIRE(bool(half & 0x8000) == std::signbit(value));
    REQUIRE(is_nearest_half(value, half));
  }
  // Halfway between each pair of neighbours, and just beside it: where a rounding goes wrong first.
  for (uint16_t half = 0; half < 0x7bff; ++half) {
    const float middle = float((value_of_half(half) + value_of_half(uint16_t(half + 1))) / 2);
    CAPTURE(half);
    REQUIRE(f32_to_f16(middle) == (half % 2 == 0 ? half : half + 1));
    REQUIRE(f32_to_f16(std::nextafter(middle, 0.0f)) == half);
    REQUIRE(f32_to_f16(std::nextafter(middle, 1e9f)) == half + 1);
  }
}

TEST_CASE("overflow becomes infinity at 65,520 and not before") {
  CHECK(f32_to_f16(65504.0f) == 0x7bff);
  CHECK(f32_to_f16(std::nextafter(65520.0f, 0.0f)) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(-HUGE_VALF) == 0xfc00);
}

TEST_CASE("bfloat16 keeps its values, rounds ties to even and keeps NaN a NaN") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_f32(uint16_t(bits));
    if (std::isnan(value))
      REQUIRE(std::isnan(bf16_to_f32(f32_to_bf16(value))));
    else
      REQUIRE(f32_to_bf16(value) == bits);
  }
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);
  CHECK(f32_to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST_CASE("every type has a name and a number, and unknown numbers are none") {
  int known = 0;
  for (int value = 0; value < 256; ++value) {
    const std::optional<DType> dtype = dtype_from_byte(uint8_t(value));
    if (!dtype) continue;
    ++known;
    CHECK(int(*dtype) == value);
    CHECK(to_string(*dtype) != "unknown");
    CHECK((element_bytes(*dtype) == 0) == is_linear(*dtype));
  }
  CHECK(known == 12);
}
