// The tensors of a published model: their element types, and their conversion to fp32 by block. model/format reads the
// files that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "compute/tensor/view.h"

namespace frugal {

/// Element encoding in a source file. The k-quants and legacy quants are GGUF's block formats.
enum class SourceType { f32, f16, bf16, f64, i8, u8, i32, i64, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k };
std::string_view to_string(SourceType type);
/// True for types of fewer than 16 bits a weight.
bool is_quantized(SourceType type);

/// Elements and bytes of one block of a type. A plain type's block is one element.
struct SourceBlock {
  int64_t elements = 1;
  int64_t bytes = 0;
};
SourceBlock source_block(SourceType type);

struct SourceTensor {
  std::string name;  // as in the file
  SourceType type = SourceType::f32;
  Shape shape;                      // row-major, outermost first (GGUF's order is reversed on reading)
  std::span<const std::byte> data;  // mapped; validated against the file's size
};

/// Converts rows [row_begin, row_begin + row_count) of a tensor to fp32. out: row_count · cols floats. Throws
/// Error(bad_input) for integer types.
void read_rows_f32(const SourceTensor& tensor, int64_t row_begin, int64_t row_count, std::span<float> out);

/// 32 codes of a quantised row with scale and minimum, to be repacked without rounding the weights (put_group in
/// compute/tensor/packed.h). Q8_0: value = d · (code − 128); Q4_0, Q4_1, Q4_K: value = d · code + m. Exact for Q8_0,
/// Q4_0 and Q4_1. For Q4_K the codes are exact, and the two products d · scale and dmin · min are rounded to f16.
struct SourceGroup {
  uint8_t codes[32];
  uint16_t d_f16 = 0;
  uint16_t m_f16 = 0;
};
bool has_source_groups(SourceType type);
SourceGroup read_group(const SourceTensor& tensor, int64_t row, int64_t group);

}  // namespace frugal
