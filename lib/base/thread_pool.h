// A fixed set of threads that split one loop at a time. No queue of tasks, no OpenMP: a forward pass is a chain of
// short loops, so the workers spin for a moment between them and sleep only when the chain ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace frugal {

class ThreadPool {
 public:
  /// `threads` counts the caller too: ThreadPool(1) starts none and runs everything inline.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int threads() const;

  /// Calls body(begin, end) on disjoint ranges that cover [0, count), each a multiple of `grain` long (but the last).
  /// Ranges are handed out dynamically; the caller works too. The first exception is rethrown here after all have
  /// stopped. Not reentrant: body must not call parallel_for on the same pool; one caller at a time.
  void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace frugal
