// A file of sparse vectors, inverted: for each token the rows that have a weight for it. It is mapped and searched in
// place, exactly. Rows are only appended, in blocks. The database stores how many rows and bytes are valid, so a block
// that a killed writer left is overwritten. Not compressed beyond 16 bits for a weight and 16 for its row.
//
// File: a 64-byte header {magic "FRUGALP1", u64 file id, zeros, u64 checksum of the 56 bytes before}, then blocks: a
// 32-byte header {u32 rows, u32 tokens, u64 postings, u64 checksum of what follows it, u64 checksum of the 24 bytes
// before}, [tokens] u32 ids, ascending, [tokens] u32 ends of their lists, [postings] {u16 row in the block, u16
// weight}, each list in the order of its rows, and zeros up to a multiple of 8. Little-endian. The checksums of a block
// are seeded by its offset and the file id. A weight is a float without sign: 5 bits of exponent (bias 15), 11 of
// fraction; 0 is not used. Its relative error is at most 2^-12.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <vector>

#include "base/file.h"
#include "memory/budget.h"
#include "model/nn/token_weight.h"
#include "rag/postings/best_rows.h"

namespace frugal {

/// The valid beginning of a postings file.
struct PostingsExtent {
  int64_t rows = 0;
  uint64_t bytes = 0;  // 0 if there are no rows
};

/// A posting as it is stored: a row of its block, and its weight.
struct Posting {
  uint16_t row = 0;
  uint16_t weight = 0;
};

/// The stored form of a weight, rounded to the nearest; 0 if it is not above 2^-16: such a weight is not stored. Those
/// up to 2^-15 become about 2^-15, and those above the range (131,040) its end.
uint16_t pack_weight(float weight);
float unpack_weight(uint16_t packed);

/// A postings file, mapped. If the budget has no room for the whole file, each search reads it block by block. One
/// thread searches; any thread may reclaim.
class PostingsFile final : public Reclaimer {
 public:
  /// Borrows `budget`. Throws Error(corrupt_file) if headers or sizes do not match, Error(over_budget) if there is no
  /// room even for the largest block.
  PostingsFile(const std::filesystem::path& path, uint64_t file_id, const PostingsExtent& valid, Budget& budget);
  ~PostingsFile() override;
  PostingsFile(const PostingsFile&) = delete;
  PostingsFile& operator=(const PostingsFile&) = delete;

  int64_t rows() const { return valid_.rows; }
  int64_t postings() const;
  size_t blocks() const { return blocks_.size(); }
  /// Blocks that an appender would not have ended by itself.
  int64_t partial_blocks() const;
  /// The `limit` rows of greatest inner product with `query`, of those that share a token with it, best first, ties by
  /// row. query: each token once; the order of its tokens is that of the sums. only: [rows], the rows that may be
  /// found; null: all. Throws Error(corrupt_file).
  std::vector<ScoredRow> search(std::span<const TokenWeight> query, int64_t limit,
                                const std::vector<bool>* only = nullptr) const;
  /// True if the block matches its checksum, and its lists are in order.
  bool intact(size_t block) const;
  /// The rows of a block, each with its tokens ascending. Throws Error(corrupt_file) if it is not intact.
  std::vector<std::vector<TokenWeight>> rows_of(size_t block) const;
  uint64_t reclaim(uint64_t bytes) override;

 private:
  struct Block {
    uint64_t offset = 0;  // of what follows its header
    uint64_t bytes = 0;   // of that
    int64_t first_row = 0;
    uint32_t rows = 0, tokens = 0;
    uint64_t postings = 0, checksum = 0;
  };
  void read_blocks();
  Block block_at(uint64_t offset, int64_t first_row) const;
  void reserve_pages();
  std::span<const uint32_t> ids(const Block& block) const;
  std::span<const uint32_t> ends(const Block& block) const;
  std::span<const Posting> list(const Block& block, size_t token) const;
  void add_scores(const Block& block, std::span<const TokenWeight> query, std::span<float> scores) const;
  bool stays_resident() const;

  std::filesystem::path path_;
  uint64_t file_id_;
  PostingsExtent valid_;
  MappedFile file_;
  std::vector<Block> blocks_;
  uint64_t window_bytes_ = 0;  // of the largest block
  Budget& budget_;
  mutable std::mutex mutex_;
  Reservation reservation_;  // pages that may be resident; empty if the budget has no limit
};

/// Appends rows behind the valid ones; anything after those is overwritten. Rows are held in memory until sync(), or
/// until they fill a block.
class PostingsAppender {
 public:
  static constexpr size_t kRowsPerBlock = 1 << 14;
  static constexpr size_t kPostingsPerBlock = 1 << 20;  // the row that reaches it is its last

  /// Creates the file with a header if it does not exist. Throws Error(corrupt_file) if header or size do not match,
  /// Error(io).
  PostingsAppender(const std::filesystem::path& path, uint64_t file_id, const PostingsExtent& valid);

  /// weights: each token once, in any order.
  void append(std::span<const TokenWeight> weights);
  /// Writes the rows that were appended and syncs them to disk. Must be called before the commit that counts them.
  /// Returns what is valid then.
  PostingsExtent sync();

 private:
  void write_block();
  void write_at(uint64_t offset, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  uint64_t file_id_;
  PostingsExtent written_;
  FileDescriptor fd_;
  size_t buffered_rows_ = 0;
  std::vector<uint64_t> buffered_;  // token, row in the block, weight: in the order of their lists once sorted
};

}  // namespace frugal
