// Turns a ranking of chunks into a ranking of documents, named as judgements name them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rag/index/store.h"
#include "rag/reply/reply.h"

namespace frugal {

/// Caches names, so that every chunk is fetched at most once. Borrows the store.
class DocumentNames {
 public:
  explicit DocumentNames(Store& store) : store_(store) {}

  /// At most `depth` documents, in the order of their best chunks. A document without an external id is named by its
  /// path. Chunks that are not in the store are ignored.
  std::vector<std::string> rank(std::span<const Candidate> chunks, int64_t depth);

 private:
  void fetch_unknown(std::span<const Candidate> chunks);

  Store& store_;
  std::unordered_map<int64_t, std::string> names_;
};

}  // namespace frugal
