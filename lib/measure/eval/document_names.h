// From ranked chunks to ranked documents, by the names that judgements use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rag/answer/query.h"
#include "rag/index/store.h"

namespace frugal {

/// Names are remembered: every chunk that is ever ranked is fetched once. Borrows the store.
class DocumentNames {
 public:
  explicit DocumentNames(Store& store) : store_(store) {}

  /// At most `depth` documents, in the order of their best chunks. A chunk without an external id counts as its
  /// document's path, one that the store does not hold counts as none.
  std::vector<std::string> rank(std::span<const Candidate> chunks, int64_t depth);

 private:
  void fetch_unknown(std::span<const Candidate> chunks);

  Store& store_;
  std::unordered_map<int64_t, std::string> names_;
};

}  // namespace frugal
