// Element types of tensors, in files and in memory, and the conversions between the float types. Not the block formats
// of checkpoints: model/format/checkpoint.h has those.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace frugal {

/// The numbers are part of the pack format (docs/pack-format.md): never reuse one.
enum class DType : uint8_t {
  f32 = 0,
  f16 = 1,
  bf16 = 2,
  i8 = 3,  // row-wise int8: value = scale[row] · code
  u8 = 4,
  i32 = 5,
  i64 = 6,
  // Weights of linear layers in the order in which the kernels read them (compute/tensor/packed.h):
  linear_f32 = 16,
  linear_f16 = 17,
  linear_i8 = 18,   // per output channel, symmetric
  linear_i8g = 19,  // groups of 32 inputs, symmetric (lossless from Q8_0)
  linear_i4 = 20,   // groups of 32 inputs with scale and minimum (lossless from Q4_0 and Q4_1)
};

std::string_view to_string(DType dtype);
std::optional<DType> dtype_from_byte(uint8_t value);
/// Bytes of one element; 0 for the packed linear types, whose size depends on the shape.
uint64_t element_bytes(DType dtype);
inline bool is_linear(DType dtype) {
  return static_cast<uint8_t>(dtype) >= 16;
}

/// IEEE 754 binary16 and bfloat16, round to nearest even; NaN stays NaN, overflow becomes infinity.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
inline float bf16_to_f32(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}
uint16_t f32_to_bf16(float value);

}  // namespace frugal
