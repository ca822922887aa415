// A fixed set of threads that share one loop at a time. No task queue, no OpenMP: a forward pass is a chain of short
// loops, so workers spin briefly between loops and sleep only when the chain ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace frugal {

class ThreadPool {
 public:
  /// `threads` includes the caller: ThreadPool(1) starts none and runs everything inline. If the
  /// system refuses a thread, the pool is smaller and a warning says so.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const;

  /// Calls body(begin, end) on disjoint ranges that cover [0, count); each is a multiple of `grain` long, except the
  /// last. Threads take ranges dynamically; the caller works too. The first exception is rethrown here after all
  /// threads have stopped. Not reentrant: body must not call parallel_for on the same pool. One caller at a time.
  void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace frugal
