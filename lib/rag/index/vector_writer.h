// The vectors of an index in SQLite: rows of a file, found by the key of their text in the table `vectors`. Those of
// vanished chunks are kept for a while, and dropped when they are too many. Part of the SQLite writer: changes belong
// inside a transaction of the caller.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/index/sqlite.h"
#include "rag/index/store_writer.h"
#include "rag/index/vectors.h"

namespace frugal {

class VectorWriter {
 public:
  VectorWriter(const std::filesystem::path& folder, Database& database);

  std::optional<std::string> embedder() const;
  /// Drops every vector, and starts a file for those of another embedder.
  void replace_embedder(const std::string& fingerprint, int64_t dimension);

  int64_t chunks_without_vector() const;
  std::vector<PendingChunk> pending_chunks(int64_t after, int64_t limit);
  bool has(std::string_view key);
  void put(std::string_view key, std::span<const float> vector);
  void attach(int64_t chunk);
  /// Must come before the commit: rows are on the disk before the database counts them.
  void flush();

  /// Whether most rows belong to no chunk.
  bool is_worth_compacting() const;
  /// Writes the rows that are in use to a new file.
  void compact();
  /// Removes vectors files that no generation names any more; readers that have one mapped keep it.
  void remove_old_files() const;

 private:
  void start_file(int64_t number, int64_t dimension);
  VectorAppender& appender();
  int64_t file_number() const;
  int64_t rows() const;
  int64_t rows_in_use() const;

  std::filesystem::path folder_;
  Database& database_;
  Statement find_, insert_, attach_, pending_;
  std::optional<VectorAppender> appender_;
  bool has_unflushed_rows_ = false;
};

}  // namespace frugal
