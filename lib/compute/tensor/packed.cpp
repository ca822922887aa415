#include "compute/tensor/packed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/checked.h"

namespace frugal {
namespace {

constexpr uint8_t kZeroCode = 128;  // code of weight 0 in the symmetric 8-bit types

uint64_t groups_of(int64_t inputs) {
  return static_cast<uint64_t>(ceil_div(inputs, kInputGroup));
}

void put_u16(std::byte* at, uint16_t value) {
  std::memcpy(at, &value, sizeof value);
}
uint16_t get_u16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Offset, inside codes laid out [step][16][4], of (input, output).
int64_t code_offset(int64_t input, int64_t output) {
  return (input / 4) * 64 + output * 4 + input % 4;
}

float max_abs(std::span<const float> values) {
  float best = 0;
  for (const float v : values) best = std::max(best, std::fabs(v));
  return best;
}

uint8_t code_i8(float value, float inverse_scale) {
  const float rounded = std::nearbyint(value * inverse_scale);
  return static_cast<uint8_t>(std::clamp(rounded, -127.0f, 127.0f) + 128.0f);
}

void pack_row_i8(std::span<const float> row, int64_t output, std::byte* data, float& scale) {
  scale = max_abs(row) / 127.0f;
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  for (int64_t i = 0; i < int64_t(row.size()); ++i)
    data[code_offset(i, output)] = std::byte(code_i8(row[static_cast<size_t>(i)], inverse));
}

void pack_group_i8g(std::span<const float> group, int64_t index, int64_t output, std::byte* data) {
  const uint16_t d = f32_to_f16(max_abs(group) / 127.0f);
  const float scale = f16_to_f32(d);
  std::array<uint8_t, 32> codes;
  codes.fill(kZeroCode);
  for (size_t i = 0; i < group.size(); ++i) codes[i] = code_i8(group[i], scale > 0 ? 1.0f / scale : 0.0f);
  put_group(DType::linear_i8g, data, index, output, codes, d, 0);
}

// The group's codes if all its values are d · (code − 8) for one fp16 d, as those of a source in Q4_0 and of weights
// that were trained in 4 bits; nullopt otherwise. The largest value may have any code.
struct CentredGroup {
  std::array<uint8_t, 32> codes{};
  uint16_t d = 0;
};
std::optional<CentredGroup> centred_group(std::span<const float> group) {
  const float largest =
      *std::max_element(group.begin(), group.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  for (int code = 0; code < 16; ++code) {
    if (code == 8) continue;
    CentredGroup centred{.d = f32_to_f16(largest / static_cast<float>(code - 8))};
    const float d = f16_to_f32(centred.d);
    const auto encode = [d](float value) { return d != 0 ? std::nearbyint(value / d) + 8 : 8.0f; };
    const bool exact = std::all_of(group.begin(), group.end(), [&](float value) {
      const float code_of = encode(value);
      return code_of >= 0 && code_of <= 15 && (code_of - 8) * d == value;
    });
    if (!exact) continue;
    for (size_t i = 0; i < group.size(); ++i) centred.codes[i] = static_cast<uint8_t>(encode(group[i]));
    return centred;
  }
  return std::nullopt;
}

void pack_group_i4(std::span<const float> group, int64_t index, int64_t output, std::byte* data) {
  if (const auto centred = centred_group(group)) {
    const uint16_t minimum = f32_to_f16(-8 * f16_to_f32(centred->d));
    return put_group(DType::linear_i4, data, index, output, centred->codes, centred->d, minimum);
  }
  const auto [low, high] = std::minmax_element(group.begin(), group.end());
  const uint16_t d = f32_to_f16((*high - *low) / 15.0f);
  const uint16_t m = f32_to_f16(*low);
  const float scale = f16_to_f32(d);
  const float minimum = f16_to_f32(m);
  std::array<uint8_t, 32> codes{};
  for (size_t i = 0; i < group.size(); ++i) {
    const float code = scale > 0 ? std::nearbyint((group[i] - minimum) / scale) : 0.0f;
    codes[i] = static_cast<uint8_t>(std::clamp(code, 0.0f, 15.0f));
  }
  put_group(DType::linear_i4, data, index, output, codes, d, m);
}

template <typename PackGroup>
void for_each_group(std::span<const float> row, PackGroup&& pack) {
  for (int64_t g = 0; g * kInputGroup < int64_t(row.size()); ++g) {
    const size_t begin = static_cast<size_t>(g * kInputGroup);
    pack(row.subspan(begin, std::min<size_t>(kInputGroup, row.size() - begin)), g);
  }
}

void fill_padding(DType dtype, std::byte* data, uint64_t bytes, int64_t inputs) {
  std::memset(data, dtype == DType::linear_i8 ? kZeroCode : 0, bytes);
  if (dtype != DType::linear_i8g) return;
  for (uint64_t g = 0; g < groups_of(inputs); ++g)
    std::memset(data + g * kRecordBytesI8g, kZeroCode, kInputGroup * kOutputBlock);
}

}  // namespace

uint64_t packed_block_bytes(DType dtype, int64_t inputs) {
  const uint64_t groups = groups_of(inputs);
  const uint64_t padded = groups * kInputGroup;
  switch (dtype) {
    case DType::linear_i8:
      return padded * kOutputBlock;
    case DType::linear_i8g:
      return groups * kRecordBytesI8g;
    case DType::linear_i4:
      return groups * kRecordBytesI4;
    case DType::linear_f16:
      return padded * kOutputBlock * 2;
    case DType::linear_f32:
      return padded * kOutputBlock * 4;
    default:
      break;
  }
  FRUGAL_CHECK(is_linear(dtype));
  return 0;
}

uint64_t packed_bytes(DType dtype, int64_t outputs, int64_t inputs) {
  FRUGAL_CHECK(outputs > 0 && inputs > 0 && outputs < (int64_t(1) << 31) && inputs < (int64_t(1) << 31));
  return static_cast<uint64_t>(ceil_div(outputs, kOutputBlock)) * packed_block_bytes(dtype, inputs);
}

void pack_block(DType dtype, std::span<const float> rows, int64_t inputs, std::byte* data, float* scales) {
  FRUGAL_CHECK(inputs > 0 && !rows.empty() && int64_t(rows.size()) % inputs == 0 &&
               int64_t(rows.size()) <= inputs * kOutputBlock);
  fill_padding(dtype, data, packed_block_bytes(dtype, inputs), inputs);
  if (dtype == DType::linear_i8) std::fill(scales, scales + kOutputBlock, 0.0f);
  for (int64_t o = 0; o < int64_t(rows.size()) / inputs; ++o) {
    const std::span<const float> row = rows.subspan(static_cast<size_t>(o * inputs), static_cast<size_t>(inputs));
    switch (dtype) {
      case DType::linear_i8:
        pack_row_i8(row, o, data, scales[o]);
        break;
      case DType::linear_i8g:
        for_each_group(row, [&](auto group, int64_t g) { pack_group_i8g(group, g, o, data); });
        break;
      case DType::linear_i4:
        for_each_group(row, [&](auto group, int64_t g) { pack_group_i4(group, g, o, data); });
        break;
      case DType::linear_f16:
        for (int64_t i = 0; i < inputs; ++i)
          put_u16(data + (i * kOutputBlock + o) * 2, f32_to_f16(row[static_cast<size_t>(i)]));
        break;
      default:
        for (int64_t i = 0; i < inputs; ++i)
          std::memcpy(data + (i * kOutputBlock + o) * 4, &row[static_cast<size_t>(i)], 4);
    }
  }
}

void unpack_block(const PackedWeight& weight, int64_t block, std::span<float> rows) {
  FRUGAL_CHECK(int64_t(rows.size()) == weight.inputs * kOutputBlock);
  PackedWeight one = weight;
  one.data += static_cast<uint64_t>(block) * packed_block_bytes(weight.dtype, weight.inputs);
  if (one.scales) one.scales += block * kOutputBlock;
  one.outputs = kOutputBlock;
  for (int64_t o = 0; o < kOutputBlock; ++o)
    unpack_output(one, o, rows.subspan(static_cast<size_t>(o * weight.inputs), static_cast<size_t>(weight.inputs)));
}

void unpack_output(const PackedWeight& weight, int64_t output, std::span<float> row) {
  FRUGAL_CHECK(output >= 0 && output < weight.out_blocks() * kOutputBlock && int64_t(row.size()) == weight.inputs);
  const int64_t o = output % kOutputBlock;
  const std::byte* block =
      weight.data + static_cast<uint64_t>(output / kOutputBlock) * packed_block_bytes(weight.dtype, weight.inputs);
  for (int64_t i = 0; i < weight.inputs; ++i) {
    float& value = row[static_cast<size_t>(i)];
    const int64_t in_group = i % kInputGroup;
    switch (weight.dtype) {
      case DType::linear_i8:
        value = weight.scales[output] * (float(block[code_offset(i, o)]) - 128.0f);
        break;
      case DType::linear_i8g: {
        const std::byte* record = block + i / kInputGroup * kRecordBytesI8g;
        value = f16_to_f32(get_u16(record + 512 + o * 2)) * (float(record[code_offset(in_group, o)]) - 128.0f);
        break;
      }
      case DType::linear_i4: {
        const std::byte* record = block + i / kInputGroup * kRecordBytesI4;
        const int byte = int(record[code_offset(in_group % 16, o)]);
        const float code = float(in_group < 16 ? byte & 15 : byte >> 4);
        value = f16_to_f32(get_u16(record + 256 + o * 2)) * code + f16_to_f32(get_u16(record + 288 + o * 2));
        break;
      }
      case DType::linear_f16:
        value = f16_to_f32(get_u16(block + (i * kOutputBlock + o) * 2));
        break;
      default:
        std::memcpy(&value, block + (i * kOutputBlock + o) * 4, 4);
    }
  }
}

void put_group(DType dtype, std::byte* block_data, int64_t group, int64_t output, std::span<const uint8_t, 32> codes,
               uint16_t d_f16, uint16_t m_f16) {
  if (dtype == DType::linear_i8g) {
    std::byte* record = block_data + group * kRecordBytesI8g;
    for (int64_t i = 0; i < kInputGroup; ++i) record[code_offset(i, output)] = std::byte(codes[static_cast<size_t>(i)]);
    put_u16(record + 512 + output * 2, d_f16);
    return;
  }
  FRUGAL_CHECK(dtype == DType::linear_i4);
  std::byte* record = block_data + group * kRecordBytesI4;
  for (int64_t i = 0; i < 16; ++i)
    record[code_offset(i, output)] = std::byte(codes[static_cast<size_t>(i)] | codes[static_cast<size_t>(i + 16)] << 4);
  put_u16(record + 256 + output * 2, d_f16);
  put_u16(record + 288 + output * 2, m_f16);
}

}  // namespace frugal
