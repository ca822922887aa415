// A file of vectors: rows of int8 codes, mapped and searched in place. Rows are only appended. The database stores how
// many are valid, so a row that a killed writer left is overwritten. Not an approximate index: a search reads all rows.
//
// File: a 64-byte header {magic "FRUGALV1", u32 dimension, u32 stride, u32 rows per block, u32 zero, u64 file id,
// zeros, u64 checksum of the 56 bytes before}, then blocks of 256 rows: [256 × stride] int8 codes, [256] float scales,
// [256] u32 checksums. Little-endian. A row is codes · scale; its checksum covers both and is seeded by row and file
// id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <vector>

#include "base/file.h"
#include "memory/budget.h"
#include "rag/vectors/vector_rows.h"

namespace frugal {

/// The first `rows` rows of a vectors file, mapped. If the budget has no room for the whole file, its beginning stays
/// resident and each search reads the rest through a window. One thread searches; any thread may reclaim.
class VectorFile final : public VectorRows, public Reclaimer {
 public:
  /// Borrows `budget`. Throws Error(corrupt_file) if header or size do not match, Error(over_budget) if there is no
  /// room even for a window.
  VectorFile(const std::filesystem::path& path, const VectorLayout& expected, int64_t rows, Budget& budget);
  ~VectorFile() override;
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  int64_t rows() const override { return rows_; }
  std::vector<ScoredRow> search(std::span<const float> query, int64_t limit,
                                const std::vector<bool>* only = nullptr) const override;
  std::vector<VectorRow> read(std::span<const int64_t> rows) const override;
  /// True if the row matches its checksum.
  bool intact(int64_t row) const;
  std::span<const int8_t> codes(int64_t row) const;
  float scale(int64_t row) const;
  uint64_t reclaim(uint64_t bytes) override;

 private:
  uint64_t resident_bytes() const;
  void release_above(uint64_t resident) const;
  VectorLayout layout_;
  int64_t rows_;
  MappedFile file_;
  Budget& budget_;
  mutable std::mutex mutex_;
  Reservation reservation_;  // pages that may be resident; empty if the budget has no limit
};

/// Appends rows to a vectors file, after the first `rows`.
class VectorAppender final : public VectorRowWriter {
 public:
  /// Creates the file with a header if it does not exist. Throws Error(corrupt_file) if header or size do not match,
  /// Error(io).
  VectorAppender(const std::filesystem::path& path, const VectorLayout& layout, int64_t rows);

  int64_t rows() const override { return rows_; }
  int64_t append_codes(std::span<const int8_t> codes, float scale) override;
  void sync() override;

 private:
  void write_at(uint64_t offset, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  VectorLayout layout_;
  int64_t rows_;
  FileDescriptor fd_;
};

}  // namespace frugal
