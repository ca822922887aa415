// Predicts from past uses when loaded models will be used again: which one to evict, and which one comes next.
// For a few objects of very different size, unlike page_policy.h, which has many blocks of one size.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace frugal {

enum class Eviction { predictive, lru };

/// Models are numbered from 0 on. Not thread-safe.
class UseOrder {
 public:
  explicit UseOrder(Eviction eviction = Eviction::predictive) : eviction_(eviction) {}

  void touch(int32_t model);
  /// The model to evict among those that `can_evict` admits: with `lru` the least recently used, with `predictive` the
  /// one whose next use is farthest if it keeps its interval. nullopt if there is none.
  std::optional<int32_t> victim(const std::function<bool(int32_t model)>& can_evict) const;
  /// The model that followed the last time that the latest one was used; nullopt before its second use.
  std::optional<int32_t> next() const;
  /// Predictions made, and how many were right.
  int64_t predictions() const { return predictions_; }
  int64_t right_predictions() const { return right_; }

 private:
  struct Uses {
    int64_t last = -1;      // touch number; -1: never
    int64_t interval = -1;  // between the last two; -1: not twice yet
    int32_t follower = -1;
  };
  int64_t next_use(const Uses& uses) const;

  Eviction eviction_;
  std::vector<Uses> uses_;
  int64_t now_ = 0;
  int32_t latest_ = -1;
  int64_t predictions_ = 0, right_ = 0;
};

}  // namespace frugal
