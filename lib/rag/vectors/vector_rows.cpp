#include "rag/vectors/vector_rows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "compute/kernels/kernels.h"

namespace frugal {

std::vector<float> VectorRow::values() const {
  std::vector<float> values;
  values.reserve(codes.size());
  for (const int8_t code : codes) values.push_back(static_cast<float>(code) * scale);
  return values;
}

uint32_t row_checksum(const VectorLayout& layout, int64_t row, std::span<const int8_t> codes, float scale) {
  const uint64_t seed = layout.file_id ^ static_cast<uint64_t>(row);
  const uint64_t of_scale = checksum64(std::as_bytes(std::span(&scale, 1)), seed);
  return static_cast<uint32_t>(checksum64(std::as_bytes(codes), of_scale));
}

QuantisedQuery quantise_query(std::span<const float> query, const VectorLayout& layout) {
  if (static_cast<int64_t>(query.size()) != layout.dimension)
    throw Error(Code::mismatch,
                fmt::format("the query has {} dimensions, the index {}", query.size(), layout.dimension))
        .hint("use the embedder that the index was made with");
  QuantisedQuery quantised{std::vector<int8_t>(static_cast<size_t>(layout.stride())), 0};
  quantised.scale = kernels::active().quantize_vector(query.data(), layout.dimension, quantised.codes.data());
  return quantised;
}

int64_t VectorRowWriter::append(std::span<const float> vector) {
  std::vector<int8_t> codes(vector.size());
  const float scale =
      kernels::active().quantize_vector(vector.data(), static_cast<int64_t>(vector.size()), codes.data());
  return append_codes(codes, scale);
}

}  // namespace frugal
