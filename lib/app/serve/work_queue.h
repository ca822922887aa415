// Threads that handle requests, behind a queue with a limit: what does not fit is refused at once, since a client that
// is told to come again later is better off than one that waits without knowing. The threads mostly wait, for a model's
// turn; there are more of them than processors so that requests can meet and be computed together. The thread that
// rested last works next: where one thread suffices, the others keep no memory (malloc's caches are of a thread).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace frugal::serve {

class WorkQueue {
 public:
  WorkQueue(size_t threads, size_t max_queued);
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  /// Finishes what was accepted.
  ~WorkQueue();

  /// False if the queue is full or closed. `work` must not throw.
  bool push(std::function<void()> work);
  /// Refuses work from now on. What was accepted goes on.
  void close();

  struct Figures {
    size_t queued = 0, running = 0;
  };
  Figures figures() const;

 private:
  /// A thread that rests until it is called.
  struct Rest {
    std::condition_variable called;
    bool is_over = false;
  };
  void run();
  void call_one();

  const size_t max_queued_;
  mutable std::mutex mutex_;
  std::vector<Rest*> resting_;  // the last one came last
  std::deque<std::function<void()>> queue_;
  size_t running_ = 0;
  bool is_closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace frugal::serve
