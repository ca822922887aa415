#include "app/serve/work_queue.h"

#include <utility>

namespace frugal::serve {

WorkQueue::WorkQueue(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() {
  close();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkQueue::push(std::function<void()> work) {
  {
    const std::lock_guard guard(mutex_);
    if (is_closed_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void WorkQueue::close() {
  {
    const std::lock_guard guard(mutex_);
    is_closed_ = true;
  }
  changed_.notify_all();
}

WorkQueue::Figures WorkQueue::figures() const {
  const std::lock_guard guard(mutex_);
  return {queue_.size(), running_};
}

void WorkQueue::run() {
  std::unique_lock guard(mutex_);
  while (true) {
    changed_.wait(guard, [&] { return is_closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    guard.unlock();
    work();
    guard.lock();
    --running_;
  }
}

}  // namespace frugal::serve
