// Converts every element type of a checkpoint to fp32, and reads the groups that repack without loss. The block layouts
// are ggml's (ggml-common.h, ggml-quants.c); tests/golden/gguf holds an independent decoding of each.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "model/source/source_type.h"

namespace frugal {
namespace {

constexpr int64_t kSuperBlock = 256;  // elements of a k-quant block

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float load_f16(const std::byte* at) {
  return f16_to_f32(load<uint16_t>(at));
}
int byte_at(const std::byte* at, int64_t i) {
  return static_cast<int>(at[i]);
}

// The 6-bit scale and minimum of sub-block j (0…7) of Q4_K and Q5_K, packed into 12 bytes. For j < 4 the low 6 bits of
// bytes j and j + 4 hold them. For j ≥ 4 the low 4 bits are the two nibbles of byte j + 4, and the high 2 bits are the
// top bits of bytes j − 4 and j.
struct ScaleMin {
  int scale;
  int minimum;
};
ScaleMin scale_min(const std::byte* packed, int64_t j) {
  if (j < 4) return {byte_at(packed, j) & 63, byte_at(packed, j + 4) & 63};
  return {(byte_at(packed, j + 4) & 15) | (byte_at(packed, j - 4) >> 6) << 4,
          (byte_at(packed, j + 4) >> 4) | (byte_at(packed, j) >> 6) << 4};
}

void q8_0(const std::byte* block, float* out) {
  const float d = load_f16(block);
  for (int64_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

void q4_0(const std::byte* block, float* out) {
  const float d = load_f16(block);
  for (int64_t i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((byte_at(block, 2 + i) & 15) - 8);
    out[i + 16] = d * static_cast<float>((byte_at(block, 2 + i) >> 4) - 8);
  }
}

void q4_1(const std::byte* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  for (int64_t i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(byte_at(block, 4 + i) & 15) + m;
    out[i + 16] = d * static_cast<float>(byte_at(block, 4 + i) >> 4) + m;
  }
}

// The fifth bits of 32 codes are one 32-bit word.
void q5(const std::byte* codes, uint32_t high_bits, float d, float offset, float* out) {
  for (int64_t i = 0; i < 16; ++i) {
    const int low = (byte_at(codes, i) & 15) | static_cast<int>(high_bits >> i & 1) << 4;
    const int high = (byte_at(codes, i) >> 4) | static_cast<int>(high_bits >> (i + 16) & 1) << 4;
    out[i] = d * static_cast<float>(low) + offset;
    out[i + 16] = d * static_cast<float>(high) + offset;
  }
}

void q5_0(const std::byte* block, float* out) {
  const float d = load_f16(block);
  q5(block + 6, load<uint32_t>(block + 2), d, -16 * d, out);
}

void q5_1(const std::byte* block, float* out) {
  q5(block + 8, load<uint32_t>(block + 4), load_f16(block), load_f16(block + 2), out);
}

void q4_k(const std::byte* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  for (int64_t j = 0; j < 8; ++j) {
    const ScaleMin s = scale_min(block + 4, j);
    const std::byte* codes = block + 16 + j / 2 * 32;
    for (int64_t i = 0; i < 32; ++i) {
      const int code = j % 2 == 0 ? byte_at(codes, i) & 15 : byte_at(codes, i) >> 4;
      out[j * 32 + i] =
          d * static_cast<float>(s.scale) * static_cast<float>(code) - dmin * static_cast<float>(s.minimum);
    }
  }
}

void q5_k(const std::byte* block, float* out) {
  const float d = load_f16(block);
  const float dmin = load_f16(block + 2);
  const std::byte* high = block + 16;
  for (int64_t j = 0; j < 8; ++j) {
    const ScaleMin s = scale_min(block + 4, j);
    const std::byte* codes = block + 48 + j / 2 * 32;
    for (int64_t i = 0; i < 32; ++i) {
      const int nibble = j % 2 == 0 ? byte_at(codes, i) & 15 : byte_at(codes, i) >> 4;
      const int code = nibble | (byte_at(high, i) >> j & 1) << 4;
      out[j * 32 + i] =
          d * static_cast<float>(s.scale) * static_cast<float>(code) - dmin * static_cast<float>(s.minimum);
    }
  }
}

void q6_k(const std::byte* block, float* out) {
  const std::byte* low = block;
  const std::byte* high = block + 128;
  const std::byte* scales = block + 192;  // int8, one per 16 elements
  const float d = load_f16(block + 208);
  for (int64_t i = 0; i < kSuperBlock; ++i) {
    // Each half of 128 holds four runs of 32: nibbles of runs 0 and 1 are low, of 2 and 3 high; 2 more bits a run in
    // `high`.
    const int64_t half = i / 128;
    const int64_t run = i % 128 / 32;
    const int64_t lane = i % 32;
    const int nibbles = byte_at(low, half * 64 + run % 2 * 32 + lane);
    const int top = byte_at(high, half * 32 + lane) >> (2 * run) & 3;
    const int code = ((run < 2 ? nibbles & 15 : nibbles >> 4) | top << 4) - 32;
    out[i] = d * static_cast<float>(static_cast<int8_t>(scales[i / 16])) * static_cast<float>(code);
  }
}

struct TypeTraits {
  SourceType type;
  std::string_view name;
  SourceBlock block;
  void (*decode)(const std::byte* block, float* out);  // null for integers
};

constexpr std::array kTypes{
    TypeTraits{SourceType::f32, "F32", {1, 4}, [](const std::byte* at, float* out) { *out = load<float>(at); }},
    TypeTraits{SourceType::f16, "F16", {1, 2}, [](const std::byte* at, float* out) { *out = load_f16(at); }},
    TypeTraits{SourceType::bf16,
               "BF16",
               {1, 2},
               [](const std::byte* at, float* out) { *out = bf16_to_f32(load<uint16_t>(at)); }},
    TypeTraits{SourceType::f64,
               "F64",
               {1, 8},
               [](const std::byte* at, float* out) { *out = static_cast<float>(load<double>(at)); }},
    TypeTraits{SourceType::i8, "I8", {1, 1}, nullptr},
    TypeTraits{SourceType::u8, "U8", {1, 1}, nullptr},
    TypeTraits{SourceType::i32, "I32", {1, 4}, nullptr},
    TypeTraits{SourceType::i64, "I64", {1, 8}, nullptr},
    TypeTraits{SourceType::q8_0, "Q8_0", {32, 34}, q8_0},
    TypeTraits{SourceType::q4_0, "Q4_0", {32, 18}, q4_0},
    TypeTraits{SourceType::q4_1, "Q4_1", {32, 20}, q4_1},
    TypeTraits{SourceType::q5_0, "Q5_0", {32, 22}, q5_0},
    TypeTraits{SourceType::q5_1, "Q5_1", {32, 24}, q5_1},
    TypeTraits{SourceType::q4_k, "Q4_K", {kSuperBlock, 144}, q4_k},
    TypeTraits{SourceType::q5_k, "Q5_K", {kSuperBlock, 176}, q5_k},
    TypeTraits{SourceType::q6_k, "Q6_K", {kSuperBlock, 210}, q6_k},
};

const TypeTraits& traits(SourceType type) {
  const TypeTraits& found = kTypes[static_cast<size_t>(type)];
  FRUGAL_CHECK(found.type == type);
  return found;
}

const std::byte* row_begin_of(const SourceTensor& tensor, int64_t row) {
  const SourceBlock block = source_block(tensor.type);
  return tensor.data.data() + row * (tensor.shape.cols() / block.elements) * block.bytes;
}

void split_nibbles(const std::byte* packed, uint8_t* codes) {
  for (int64_t i = 0; i < 16; ++i) {
    codes[i] = static_cast<uint8_t>(byte_at(packed, i) & 15);
    codes[i + 16] = static_cast<uint8_t>(byte_at(packed, i) >> 4);
  }
}

SourceGroup group_q8_0(const std::byte* block) {
  SourceGroup group;
  group.d_f16 = load<uint16_t>(block);
  for (int64_t i = 0; i < 32; ++i) group.codes[i] = static_cast<uint8_t>(byte_at(block, 2 + i) ^ 0x80);
  return group;
}

SourceGroup group_q4_0(const std::byte* block) {
  SourceGroup group;
  group.d_f16 = load<uint16_t>(block);
  group.m_f16 = f32_to_f16(-8 * f16_to_f32(group.d_f16));  // exact: 8 is a power of two
  split_nibbles(block + 2, group.codes);
  return group;
}

SourceGroup group_q4_1(const std::byte* block) {
  SourceGroup group;
  group.d_f16 = load<uint16_t>(block);
  group.m_f16 = load<uint16_t>(block + 2);
  split_nibbles(block + 4, group.codes);
  return group;
}

SourceGroup group_q4_k(const std::byte* block, int64_t sub_block) {
  SourceGroup group;
  const ScaleMin s = scale_min(block + 4, sub_block);
  group.d_f16 = f32_to_f16(load_f16(block) * static_cast<float>(s.scale));
  group.m_f16 = f32_to_f16(-load_f16(block + 2) * static_cast<float>(s.minimum));
  const std::byte* codes = block + 16 + sub_block / 2 * 32;
  for (int64_t i = 0; i < 32; ++i)
    group.codes[i] = static_cast<uint8_t>(sub_block % 2 == 0 ? byte_at(codes, i) & 15 : byte_at(codes, i) >> 4);
  return group;
}

}  // namespace

std::string_view to_string(SourceType type) {
  return traits(type).name;
}
bool is_quantized(SourceType type) {
  return traits(type).block.elements > 1;
}
SourceBlock source_block(SourceType type) {
  return traits(type).block;
}

void read_rows_f32(const SourceTensor& tensor, int64_t row_begin, int64_t row_count, std::span<float> out) {
  const int64_t cols = tensor.shape.cols();
  const TypeTraits& type = traits(tensor.type);
  FRUGAL_CHECK(row_begin >= 0 && row_count >= 0 && row_begin + row_count <= tensor.shape.rows());
  FRUGAL_CHECK(static_cast<int64_t>(out.size()) == row_count * cols && cols % type.block.elements == 0);
  if (!type.decode)
    throw Error(Code::bad_input,
                fmt::format("tensor '{}' holds {} integers where weights are expected", tensor.name, type.name));
  const std::byte* at = row_begin_of(tensor, row_begin);
  if (tensor.type == SourceType::f32) {
    std::memcpy(out.data(), at, out.size_bytes());
    return;
  }
  for (size_t i = 0; i < out.size(); i += static_cast<size_t>(type.block.elements), at += type.block.bytes)
    type.decode(at, out.data() + i);
}

bool has_source_groups(SourceType type) {
  return type == SourceType::q8_0 || type == SourceType::q4_0 || type == SourceType::q4_1 || type == SourceType::q4_k;
}

SourceGroup read_group(const SourceTensor& tensor, int64_t row, int64_t group) {
  FRUGAL_CHECK(row >= 0 && row < tensor.shape.rows() && group >= 0 && group < tensor.shape.cols() / 32);
  const SourceBlock block = source_block(tensor.type);
  const std::byte* at = row_begin_of(tensor, row) + group * 32 / block.elements * block.bytes;
  switch (tensor.type) {
    case SourceType::q8_0:
      return group_q8_0(at);
    case SourceType::q4_0:
      return group_q4_0(at);
    case SourceType::q4_1:
      return group_q4_1(at);
    case SourceType::q4_k:
      return group_q4_k(at, group % 8);
    default:
      break;
  }
  FRUGAL_CHECK(has_source_groups(tensor.type));
  return {};
}

}  // namespace frugal
