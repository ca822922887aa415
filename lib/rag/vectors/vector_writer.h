// Writes a set of vectors of an SQLite index: rows of a file or of a server, found in a table by the key of what they
// were made of. Vectors whose owners were removed are kept until they are the majority. Part of the SQLite writer:
// changes must be inside a transaction of the caller.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/database/sqlite.h"
#include "rag/postings/postings_writer.h"
#include "rag/vectors/vector_home.h"
#include "rag/vectors/vector_set.h"

namespace frugal {

class VectorWriter {
 public:
  /// Borrows `database`.
  VectorWriter(const std::filesystem::path& folder, Database& database,
               const schema::VectorSet& set = schema::kChunkVectors, const VectorOptions& options = {});

  std::optional<std::string> embedder() const;
  /// Sets a name of the embedder for people.
  void set_embedder_name(const std::string& name);
  /// Drops all vectors and starts files for those of another embedder. has_weights: they come with token weights.
  void replace_embedder(const std::string& fingerprint, int64_t dimension, bool has_weights = false);
  /// True, with a warning, if the rows that the database counts are not where they should be: they were deleted, cut
  /// short, or belong to another index.
  bool is_unusable() const;
  /// True if the rows have to be copied to another home, by compact().
  bool must_move() const { return frugal::must_move(database_, set_, options_); }
  /// Drops all vectors and starts a new file for the same embedder.
  void drop_all();

  int64_t owners_without_vector() const;
  bool has(std::string_view key);
  bool keeps_weights() const { return weights_ && weights_->is_on(); }
  /// weights: kept if keeps_weights().
  void put(std::string_view key, std::span<const float> vector, std::span<const TokenWeight> weights = {});
  /// Gives an owner the vector of its key; NULL if there is none.
  void attach(int64_t owner);
  /// Must be called before the commit: rows must be on disk before the database counts them.
  void flush();

  /// True if at least half of the rows, and at least 1,024, belong to no owner.
  bool is_worth_compacting() const;
  /// Copies the rows in use to a new file, or to the home that the options name.
  void compact();
  /// True if a copy of the token weights makes searches quicker.
  bool is_worth_merging_weights() const { return weights_ && weights_->is_worth_merging(); }
  void merge_weights();
  /// Removes what earlier generations left. Must be called after a commit.
  void remove_old_files();
  /// Lets a server index the rows that were flushed.
  void settle();

 private:
  void drop_all(int64_t dimension, bool has_weights);
  void start(int64_t dimension);
  void move_rows(const VectorRows& from, std::span<const int64_t> rows);
  std::unique_ptr<VectorHome> home() const { return vector_home(folder_, database_, set_, options_); }
  VectorRowWriter& appender();
  int64_t rows() const;
  int64_t rows_in_use() const;
  std::vector<bool> used_rows() const;
  int64_t meta(std::string_view name) const;
  void set_meta(std::string_view name, int64_t value);

  std::filesystem::path folder_;
  Database& database_;
  const schema::VectorSet& set_;
  const VectorOptions options_;
  Statement find_, insert_, attach_;
  std::unique_ptr<VectorRowWriter> appender_;
  std::optional<PostingsWriter> weights_;  // of a set that may have them
  bool has_unflushed_rows_ = false;
  bool is_unsettled_ = false;
};

}  // namespace frugal
