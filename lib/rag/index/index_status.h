// The contents of an index, and a check of its integrity: for rag-index status and check.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rag/index/store.h"
#include "rag/scan/coverage.h"

namespace frugal {

struct SkippedFile {
  std::string path;
  std::string reason;
};

struct IndexStatus {
  StoreInfo info;
  uint64_t generation = 0;
  std::string embedder_fingerprint;                             // empty: no vectors
  std::string embedder_name;                                    // its pack; empty: unknown
  std::string image_embedder_fingerprint, image_embedder_name;  // the same of the vectors of images
  int64_t files = 0;
  int64_t chunks_without_vector = 0;
  uint64_t database_bytes = 0;
  uint64_t vectors_bytes = 0;  // of the files of vectors
  std::string vectors_server;  // where the vectors of chunks are; empty: in a file
  uint64_t weights_bytes = 0;  // token weights; 0: the vectors have none
  Coverage coverage;
  std::vector<SkippedFile> skipped;
};
/// Throws Error(missing), with the name of the nearest index beside it, if there is no index at `folder`.
void require_index(const std::filesystem::path& folder);
/// Throws Error(missing) if there is no index.
IndexStatus read_status(const std::filesystem::path& folder);

struct CheckReport {
  std::vector<std::string> problems;  // inconsistencies inside the index: it must be rebuilt
  std::vector<SkippedFile> stale;     // files that changed or vanished since: rag-index add updates them
  int64_t chunks_checked = 0;
  int64_t vectors_checked = 0;
  int64_t token_weights_checked = 0;
};
/// Checks the database, the word index, the checksums of every vector and of all token weights, and every chunk against
/// its file. Throws Error(missing) if there is no index, Error(bad_input) while it has a writer, Error(remote) if a
/// server with its vectors does not answer.
CheckReport check_index(const std::filesystem::path& folder, const VectorOptions& vectors = {});

}  // namespace frugal
