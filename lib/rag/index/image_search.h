// Searches the vectors of the images of an SQLite index. Opened at the first search: questions about texts do without.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "memory/budget.h"
#include "rag/database/sqlite.h"
#include "rag/filter/chunk_filter.h"
#include "rag/index/store.h"
#include "rag/vectors/vector_home.h"

namespace frugal {

class ImageSearch {
 public:
  /// Borrows both. Throws Error(corrupt_file), Error(over_budget), as VectorFile.
  ImageSearch(const std::filesystem::path& folder, const Database& database, Budget& budget,
              const VectorOptions& vectors);

  /// Store::search_images().
  std::vector<ScoredImage> search(std::span<const float> query, int64_t limit, const ChunkFilter& filter);

 private:
  std::vector<bool> rows_of(const std::vector<int64_t>& documents) const;

  const Database& database_;
  std::unique_ptr<VectorRows> vectors_;
};

}  // namespace frugal
