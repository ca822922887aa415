// The bytes of a pack, version 1 (docs/pack-format.md). Private to the reader and the writer. Little-endian, without
// implicit padding.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include "base/checked.h"
#include "compute/tensor/packed.h"

namespace frugal::pack_layout {

static_assert(std::endian::native == std::endian::little, "packs are mapped as they are: little-endian machines only");

constexpr char kMagic[8] = {'F', 'R', 'U', 'G', 'A', 'L', 'P', 'K'};
constexpr char kFooterMagic[8] = {'P', 'A', 'C', 'K', 'D', 'O', 'N', 'E'};
constexpr uint32_t kVersion = 1;

constexpr uint64_t kAlignment = 64;  // a cache line, and a whole AVX-512 vector
constexpr uint64_t kPage = 4096;     // tensors of at least a page are page-aligned: releasing one spares its neighbour
constexpr uint64_t kMaxMetadataBytes = 100'000'000;

/// At offset 0. The tables follow in the order of their counts, without gaps, then the strings.
struct PackHeader {
  char magic[8];
  uint32_t version;
  uint32_t tensor_count;
  uint32_t config_count;
  uint32_t blob_count;
  uint64_t string_bytes;
  uint64_t metadata_bytes;  // header, tables and strings: the range of the footer's checksum
  uint64_t file_bytes;
  uint64_t reserved[2];
};
static_assert(sizeof(PackHeader) == 64);

/// A string: offset into the string table, length in bytes.
struct StringRef {
  uint32_t offset;
  uint32_t length;
};

/// Sorted by name, ascending, without duplicates.
struct TensorEntry {
  StringRef name;
  uint8_t dtype;  // DType
  uint8_t role;   // TensorRole
  uint8_t rank;
  uint8_t reserved[5];
  int64_t dims[4];  // dims[rank…] are 0
  uint64_t data_offset;
  uint64_t data_bytes;
  uint64_t scales_offset;  // 0 if there are none
  uint64_t scales_bytes;
  uint64_t data_checksum;  // XXH3-64
  uint64_t scales_checksum;
};
static_assert(sizeof(TensorEntry) == 96);

/// Sorted by key.
struct ConfigEntry {
  StringRef key;
  StringRef value;
};
static_assert(sizeof(ConfigEntry) == 16);

/// Sorted by name.
struct BlobEntry {
  StringRef name;
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlobEntry) == 32);

/// The last bytes of the file, written after everything else has reached the disk.
struct PackFooter {
  uint64_t file_bytes;
  uint64_t metadata_bytes;
  uint64_t metadata_checksum;
  char magic[8];
};
static_assert(sizeof(PackFooter) == 32);

struct TensorBytes {
  uint64_t data = 0;
  uint64_t scales = 0;
};

/// Bytes of a tensor of this type and shape; nullopt if the type does not fit the shape or the count would wrap.
/// Dimensions may come from a hostile file.
inline std::optional<TensorBytes> tensor_bytes(DType dtype, const Shape& shape) {
  constexpr int64_t kMaxDim = int64_t(1) << 31;
  uint64_t elements = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] <= 0 || shape[i] >= kMaxDim) return std::nullopt;
    const auto product = checked_mul(elements, static_cast<uint64_t>(shape[i]));
    // 2^48 elements leave room for 64 bytes an element and for padding both dimensions.
    if (!product || *product > uint64_t(1) << 48) return std::nullopt;
    elements = *product;
  }
  if (shape.rank() == 0) return std::nullopt;
  if (!is_linear(dtype)) {
    const uint64_t scales = dtype == DType::i8 ? static_cast<uint64_t>(shape.rows()) * sizeof(float) : 0;
    return TensorBytes{elements * element_bytes(dtype), scales};
  }
  if (shape.rank() != 2) return std::nullopt;
  const uint64_t padded_outputs = round_up(static_cast<uint64_t>(shape[0]), kOutputBlock);
  return TensorBytes{packed_bytes(dtype, shape[0], shape[1]),
                     dtype == DType::linear_i8 ? padded_outputs * sizeof(float) : 0};
}

/// The first offset at or after `offset` where a tensor of `bytes` may start.
inline uint64_t align_tensor(uint64_t offset, uint64_t bytes) {
  return round_up(offset, bytes >= kPage ? kPage : kAlignment);
}

}  // namespace frugal::pack_layout
