// Rows of int8 vectors, wherever they are: a mapped file (vectors.h) or a partition of a Milvus server (milvus_rows.h).
// A row is codes · scale. Rows are numbered from 0 and only appended; the database of their index stores how many are
// valid, so that rows which a killed writer left are neither found nor in the way.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rag/postings/best_rows.h"

namespace frugal {

struct VectorLayout {
  int64_t dimension = 0;
  uint64_t file_id = 0;  // random; links the rows to their database

  static constexpr int64_t kRowsPerBlock = 256;
  static constexpr uint64_t kHeaderBytes = 64;
  static constexpr int64_t kMaxDimension = 1 << 16;
  static constexpr int64_t kMaxRows = int64_t(1) << 40;  // the bytes of as many rows still fit 63 bits

  int64_t stride() const { return (dimension + 31) / 32 * 32; }
  uint64_t block_bytes() const;
  uint64_t file_bytes(int64_t rows) const;  // whole blocks
};

struct VectorRow {
  std::vector<int8_t> codes;  // [dimension]; empty: the row is missing
  float scale = 0;
  bool intact = false;  // matches its checksum

  /// codes · scale.
  std::vector<float> values() const;
};

/// The checksum of a row. It is seeded by row and file id, so that a row that was swapped or copied from elsewhere does
/// not match. codes: [dimension].
uint32_t row_checksum(const VectorLayout& layout, int64_t row, std::span<const int8_t> codes, float scale);

struct QuantisedQuery {
  std::vector<int8_t> codes;  // [stride]
  float scale = 0;
};
/// Throws Error(mismatch) unless the query has the dimension of the layout.
QuantisedQuery quantise_query(std::span<const float> query, const VectorLayout& layout);

/// The rows that are valid in one generation of an index.
class VectorRows {
 public:
  virtual ~VectorRows() = default;
  virtual int64_t rows() const = 0;
  /// The `limit` rows of greatest inner product with `query` ([dimension], unit length), best first, ties by row. Of
  /// rows that are equal to the last one, a server may return others.
  /// only: [rows], the rows that may be found; null: all. Throws Error(mismatch) if the dimension differs,
  /// Error(remote) if a server does not answer.
  virtual std::vector<ScoredRow> search(std::span<const float> query, int64_t limit,
                                        const std::vector<bool>* only = nullptr) const = 0;
  /// The rows with these numbers, in the same order. Throws Error(remote).
  virtual std::vector<VectorRow> read(std::span<const int64_t> rows) const = 0;
};

/// Appends rows after those that are valid; anything after those is overwritten.
class VectorRowWriter {
 public:
  virtual ~VectorRowWriter() = default;
  virtual int64_t rows() const = 0;
  /// Appends codes · scale. Returns its row. codes: [dimension]. Throws Error(io), Error(remote).
  virtual int64_t append_codes(std::span<const int8_t> codes, float scale) = 0;
  /// Quantises a vector to int8 with one scale and appends it. Returns its row.
  int64_t append(std::span<const float> vector);
  /// Makes the appended rows durable. Must be called before the commit that counts them.
  virtual void sync() = 0;
  /// What a reader of these rows waits for at a server; 0: nothing.
  virtual uint64_t stamp() const { return 0; }
};

}  // namespace frugal
