// What an index holds, and whether it is whole and as its files are: for rag-index status and check.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rag/index/store.h"

namespace frugal {

struct SkippedFile {
  std::string path;
  std::string reason;
};

struct IndexStatus {
  StoreInfo info;
  uint64_t generation = 0;
  std::string embedder_fingerprint;  // empty: index without vectors
  int64_t files = 0;
  int64_t chunks_without_vector = 0;
  uint64_t database_bytes = 0;
  uint64_t vectors_bytes = 0;
  std::vector<std::string> roots;
  std::vector<SkippedFile> skipped;
};
/// Throws Error(missing) where there is no index.
IndexStatus read_status(const std::filesystem::path& folder);

struct CheckReport {
  std::vector<std::string> problems;  // the index contradicts itself: it must be repaired
  std::vector<SkippedFile> stale;     // files that changed or vanished since: rag-index add brings them in line
  int64_t chunks_checked = 0;
  int64_t vectors_checked = 0;
};
/// Checks the database, the word index, every vector, and every chunk against its file.
/// Throws Error(missing) where there is no index, Error(bad_input) while a writer is at work.
CheckReport check_index(const std::filesystem::path& folder);

}  // namespace frugal
