// The best rows of a search, while it goes through all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace frugal {

struct ScoredRow {
  int64_t row = 0;
  float score = 0;
};

/// The best `limit` of the offered rows, ties by row, in a heap whose front is the worst of them.
class BestRows {
 public:
  /// limit: none if it is 0 or less.
  explicit BestRows(int64_t limit) : limit_(static_cast<size_t>(std::max<int64_t>(limit, 0))) {}

  void offer(ScoredRow candidate) {
    if (kept_.size() < limit_) {
      kept_.push_back(candidate);
      std::push_heap(kept_.begin(), kept_.end(), better);
    } else if (limit_ > 0 && better(candidate, kept_.front())) {
      std::pop_heap(kept_.begin(), kept_.end(), better);
      kept_.back() = candidate;
      std::push_heap(kept_.begin(), kept_.end(), better);
    }
  }
  /// Best first.
  std::vector<ScoredRow> take() {
    std::sort_heap(kept_.begin(), kept_.end(), better);
    return std::move(kept_);
  }

 private:
  static bool better(const ScoredRow& a, const ScoredRow& b) {
    return a.score != b.score ? a.score > b.score : a.row < b.row;
  }

  size_t limit_;
  std::vector<ScoredRow> kept_;
};

}  // namespace frugal
