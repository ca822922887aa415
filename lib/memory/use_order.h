// When loaded things will be used again, judged from when they were: whom to give up, and what comes next.
// Few things of very different size (models), unlike page_policy.h, which has many blocks of one size.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace frugal {

enum class Eviction { predictive, lru };

/// Things are numbered from 0 on. Not thread-safe.
class UseOrder {
 public:
  explicit UseOrder(Eviction eviction = Eviction::predictive) : eviction_(eviction) {}

  void touch(int32_t thing);
  /// Of those that may go, the one to give up: with `lru` the one used longest ago, with `predictive` the one whose
  /// next use is farthest if it keeps its interval. nullopt: none may.
  std::optional<int32_t> victim(const std::function<bool(int32_t thing)>& may) const;
  /// What followed the last time that the latest was used; nullopt before that was seen.
  std::optional<int32_t> next() const;
  /// How often next() had a say when the next use came, and how often it was right.
  int64_t predictions() const { return predictions_; }
  int64_t right() const { return right_; }

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
