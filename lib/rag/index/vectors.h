// The vectors of an index: rows of int8 codes in a file that is mapped and searched as it lies.
// Rows are only ever appended; which of them count is said by the database, so a row that a killed writer left behind
// is simply overwritten. Not an approximate index: every search reads every row.
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

namespace frugal {

struct VectorLayout {
  int64_t dimension = 0;
  uint64_t file_id = 0;  // random: ties the file to the database that counts its rows

  static constexpr int64_t kRowsPerBlock = 256;
  static constexpr uint64_t kHeaderBytes = 64;
  static constexpr int64_t kMaxDimension = 1 << 16;

  int64_t stride() const { return (dimension + 31) / 32 * 32; }
  uint64_t block_bytes() const;
  uint64_t file_bytes(int64_t rows) const;  // whole blocks
};

struct ScoredRow {
  int64_t row = 0;
  float score = 0;
};

/// The first `rows` rows of a vectors file, mapped. Where the budget does not have room for all of them, the first stay
/// resident and each search reads the others through a window. One thread searches; any may reclaim.
class VectorFile final : public Reclaimer {
 public:
  /// Borrows `budget` (may be null). Throws Error(corrupt_file) where header or size do not fit, Error(over_budget) if
  /// not even a window does.
  VectorFile(const std::filesystem::path& path, const VectorLayout& expected, int64_t rows, Budget& budget);
  ~VectorFile() override;
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  int64_t rows() const { return rows_; }
  /// Rows with the greatest inner product with `query` ([dimension], unit length), best first, ties by row.
  std::vector<ScoredRow> search(std::span<const float> query, int64_t limit) const;
  /// True if the row's codes and scale are as they were written.
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
  Reservation reservation_;  // of all that is mapped, without a limit
};

/// Appends rows behind the first `rows` ones; what lies behind those is overwritten.
class VectorAppender {
 public:
  /// Creates the file, with a header, where there is none. Throws Error(corrupt_file) where header or size do not fit.
  VectorAppender(const std::filesystem::path& path, const VectorLayout& layout, int64_t rows);

  int64_t rows() const { return rows_; }
  /// vector: [dimension]; quantised to int8 with one scale. Returns its row.
  int64_t append(std::span<const float> vector);
  /// A row of another file, as it is.
  int64_t append_codes(std::span<const int8_t> codes, float scale);
  /// Everything appended so far is on the disk. Must come before the commit that counts the rows.
  void sync();

 private:
  void write_at(uint64_t offset, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  VectorLayout layout_;
  int64_t rows_;
  FileDescriptor fd_;
  std::vector<int8_t> codes_;
};

}  // namespace frugal
