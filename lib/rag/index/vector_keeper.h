// Gives every chunk its vector, keeps vectors of vanished chunks for a while, and throws them out when they are too
// many. Internal to the write side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "model/nn/embedder.h"
#include "rag/index/sqlite.h"
#include "rag/index/vectors.h"

namespace frugal {

class VectorKeeper {
 public:
  VectorKeeper(const std::filesystem::path& folder, Database& database);

  /// Makes the index one of `embedder`: as it is, or newly so. Throws Error(mismatch) if it is one of another embedder,
  /// unless `replace`: then every vector is dropped.
  void use(const Embedder& embedder, bool replace);

  int64_t chunks_without_vector() const;
  /// Embeds every chunk that has no vector, in batches that are committed one by one. Returns how many vectors were
  /// computed.
  int64_t embed_missing(Embedder& embedder, const std::function<void(int64_t done)>& progress);

  /// Rewrites the vectors file without the rows that no chunk uses, if those are most of it.
  void compact_if_worthwhile();
  /// Removes vectors files that no generation names any more; readers that have one mapped keep it.
  void remove_old_files() const;

 private:
  struct Pending {
    int64_t chunk = 0;
    std::string key;
    std::string text;
  };
  std::vector<Pending> next_window(int64_t after) const;
  int64_t embed_batch(Embedder& embedder, std::span<const Pending> batch);
  void start_file(int64_t number, int64_t dimension);
  int64_t file_number() const;

  std::filesystem::path folder_;
  Database& database_;
  std::optional<VectorAppender> appender_;
};

}  // namespace frugal
