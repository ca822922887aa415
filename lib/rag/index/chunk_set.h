// The chunks that a search may find. Not a query: a store makes it once for a question (Store::select).
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "memory/budget.h"

namespace frugal {

class ChunkSet {
 public:
  /// ids: sorted, each once. `held` is the memory that they take.
  explicit ChunkSet(std::vector<int64_t> ids, Reservation held = {}) : held_(std::move(held)), ids_(std::move(ids)) {}

  bool contains(int64_t id) const { return std::binary_search(ids_.begin(), ids_.end(), id); }
  bool empty() const { return ids_.empty(); }
  const std::vector<int64_t>& ids() const { return ids_; }

 private:
  Reservation held_;
  std::vector<int64_t> ids_;
};

}  // namespace frugal
