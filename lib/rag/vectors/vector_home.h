// Where the rows of a set of vectors are: a file in the folder of their index, or a partition of a Milvus server. The
// table `meta` says which, so that a reader needs no settings but credentials. A home is that of the generation that
// the database shows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "memory/budget.h"
#include "rag/database/sqlite.h"
#include "rag/vectors/milvus_options.h"
#include "rag/vectors/vector_rows.h"
#include "rag/vectors/vector_set.h"

namespace frugal {

class VectorHome {
 public:
  virtual ~VectorHome() = default;
  /// The valid rows. Borrows `budget`. Throws Error(corrupt_file), Error(over_budget) as VectorFile; a server is first
  /// asked by a search.
  virtual std::unique_ptr<VectorRows> open(Budget& budget) const = 0;
  /// Throws Error(corrupt_file), Error(io), Error(remote).
  virtual std::unique_ptr<VectorRowWriter> append() const = 0;
  /// Throws Error(corrupt_file) if valid rows are not there: they were deleted, cut short, or belong to another index.
  /// Of a server, some rows are looked for.
  virtual void check() const = 0;
  /// Lets a server store and index what was appended.
  virtual void settle() const = 0;
  /// For people: the server and the collection; empty: a file.
  virtual std::string location() const = 0;
};

/// The home that `meta` names.
std::unique_ptr<VectorHome> vector_home(const std::filesystem::path& folder, const Database& database,
                                        const schema::VectorSet& set, const VectorOptions& options);
/// Names a new, empty home in `meta`: as the options have it or, if they leave it open, of the same kind as before.
/// What it names is created with its first row.
void start_vector_home(Database& database, const schema::VectorSet& set, const VectorOptions& options,
                       int64_t dimension);
/// True if the rows are on a server and the database is a copy of the one that they were written for: both would append
/// to them.
bool is_copied(const Database& database, const schema::VectorSet& set);
/// True if the rows have to be copied to another home: the options name another server, collection or index, or the
/// database is a copy.
bool must_move(const Database& database, const schema::VectorSet& set, const VectorOptions& options);

/// Removes the homes of earlier generations, and what killed writers left. Must be called after a commit. Readers keep
/// an old file that they have mapped; what is on a server is kept for an hour after its last generation.
void remove_old_homes(const std::filesystem::path& folder, Database& database, const schema::VectorSet& set,
                      const VectorOptions& options);

}  // namespace frugal
