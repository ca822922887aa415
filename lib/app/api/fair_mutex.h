// A mutex that threads get in the order in which they asked for it. One that computes for long and lets go now and then
// thereby lets every thread that waits have its turn.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace frugal::api {

class FairMutex {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    const uint64_t ticket = next_++;
    changed_.wait(guard, [&] { return ticket == serving_; });
  }
  void unlock() {
    {
      const std::lock_guard guard(mutex_);
      ++serving_;
    }
    changed_.notify_all();
  }
  /// Does not wait; false if it has an owner.
  bool try_lock() {
    const std::lock_guard guard(mutex_);
    if (next_ != serving_) return false;
    ++next_;
    return true;
  }
  /// True if a thread waits for it, as seen by its owner.
  bool is_wanted() const {
    const std::lock_guard guard(mutex_);
    return next_ > serving_ + 1;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0, serving_ = 0;
};

}  // namespace frugal::api
