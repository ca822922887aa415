// Writes the token weights of an SQLite index: a postings file beside the vectors, whose row n belongs to row n of the
// vectors. So weights are found, reused and dropped as the vectors are, and need no tables. Part of the SQLite writer:
// changes must be inside a transaction of the caller. An index whose vectors have no weights has no such file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>

#include "rag/database/sqlite.h"
#include "rag/postings/postings.h"

namespace frugal {

class PostingsWriter {
 public:
  PostingsWriter(const std::filesystem::path& folder, Database& database) : folder_(folder), database_(database) {}

  /// True if vectors of this index come with weights.
  bool is_on() const;
  /// Starts a file without rows, or without `on` ends the keeping of weights.
  void start(bool on);
  /// Throws Error(corrupt_file) or Error(io) if the rows that the database counts are not in the file.
  void check_readable() const;
  bool is_missing() const;  // the file that check_readable() opens

  /// Adds the weights of the next row of the vectors.
  void append(std::span<const TokenWeight> weights);
  /// Must be called before the commit: rows must be on disk before the database counts them.
  void flush();
  /// True if so many blocks are not full that copying the file makes searches quicker.
  bool is_worth_merging() const;
  /// Copies the rows to a new file of full blocks; those for which `keep` is false are left out.
  void copy(const std::function<bool(int64_t row)>& keep);
  /// Removes all postings files but the current one. Readers that have an old one mapped keep it.
  void remove_old_files() const;

 private:
  void open_appender(const PostingsExtent& valid);
  int64_t file_number() const;
  std::filesystem::path current() const;

  std::filesystem::path folder_;
  Database& database_;
  std::optional<PostingsAppender> appender_;  // since it was needed first; rows that are not counted are in it
};

}  // namespace frugal
