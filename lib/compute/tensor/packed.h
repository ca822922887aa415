// The layout of a linear layer's weight in a pack: the same for every instruction set, in the order in which kernels
// read it.
//
// A weight W [outputs, inputs] is split into blocks of 16 outputs. Both dimensions are padded with zero weights,
// outputs to a multiple of 16, inputs to a multiple of 32. Integer codes are unsigned, so that an unsigned × signed dot
// product (VNNI vpdpbusd, AVX2 maddubs) takes weights first and signed activations second; NEON flips the top bit on
// load.
//
//   linear_i8   codes   [out_blocks][inputs / 4][16 outputs][4 inputs] u8, value = scale[output] · (code − 128)
//               scales  [outputs padded] f32
//   linear_i8g  records [out_blocks][inputs / 32] of { codes [8][16][4] u8, d [16] f16 }           (544 bytes)
//               value = d · (code − 128)
//   linear_i4   records [out_blocks][inputs / 32] of { codes [4][16][4] u8, d [16] f16, m [16] f16 } (320 bytes)
//               value = d · nibble + m. Byte [t][o][i] of the codes: low nibble is input 4·t + i of the group, high
//               nibble input 16 + 4·t + i.
//   linear_f16, linear_f32   [out_blocks][inputs][16 outputs]
//
// Records and codes are the tensor's data in the pack; only linear_i8 has separate scales.
#pragma once

#include <cstdint>
#include <span>

#include "compute/tensor/view.h"

namespace frugal {

class Pager;

constexpr int64_t kOutputBlock = 16;
constexpr int64_t kInputGroup = 32;
constexpr int64_t kRecordBytesI8g = kInputGroup * kOutputBlock + 2 * kOutputBlock;
constexpr int64_t kRecordBytesI4 = kInputGroup * kOutputBlock / 2 + 4 * kOutputBlock;

/// A linear weight, borrowed from the pack or buffer that holds it.
struct PackedWeight {
  DType dtype = DType::linear_f32;
  int64_t outputs = 0;  // logical, not padded
  int64_t inputs = 0;
  const std::byte* data = nullptr;
  const float* scales = nullptr;  // [padded outputs], linear_i8 only
  Pager* pager = nullptr;         // null: `data` is always resident; otherwise only under a pin (memory/pager.h)

  int64_t out_blocks() const { return (outputs + kOutputBlock - 1) / kOutputBlock; }
  int64_t padded_inputs() const { return (inputs + kInputGroup - 1) / kInputGroup * kInputGroup; }
};

/// Bytes of `data` for a weight of this type and shape. outputs and inputs must be positive and below 2^31.
uint64_t packed_bytes(DType dtype, int64_t outputs, int64_t inputs);
/// Bytes of data of one block of 16 outputs.
uint64_t packed_block_bytes(DType dtype, int64_t inputs);

/// Packs rows [16·block, 16·block + 16) of a row-major fp32 weight. `rows` holds the rows that exist (1 to 16), each
/// `inputs` long and contiguous. data: packed_block_bytes(dtype, inputs) bytes. scales: 16 floats, written for
/// linear_i8 only. Integer types round to nearest with scale = max|w| / 127 (i8, i8g), or (max − min) / 15 with the
/// minimum (i4).
void pack_block(DType dtype, std::span<const float> rows, int64_t inputs, std::byte* data, float* scales);

/// Inverse of pack_block(). rows: 16 rows (padding included) of `inputs` floats each.
void unpack_block(const PackedWeight& weight, int64_t block, std::span<float> rows);

/// The weights of one output, `inputs` floats: a tied embedding reads a token's row from the packed output matrix.
void unpack_output(const PackedWeight& weight, int64_t output, std::span<float> row);

/// Stores the codes of a group that is already quantised (GGUF Q8_0, Q4_0, Q4_1), without rounding. codes: 32 values
/// (i8g: −128…127 as stored + 128; i4: 0…15). block_data: start of the block; group: index of the group in it.
void put_group(DType dtype, std::byte* block_data, int64_t group, int64_t output_in_block,
               std::span<const uint8_t, 32> codes, uint16_t d_f16, uint16_t m_f16);

}  // namespace frugal
