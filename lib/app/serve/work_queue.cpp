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
  const std::lock_guard guard(mutex_);
  if (is_closed_ || queue_.size() >= max_queued_) return false;
  queue_.push_back(std::move(work));
  call_one();
  return true;
}

void WorkQueue::close() {
  const std::lock_guard guard(mutex_);
  is_closed_ = true;
  while (!resting_.empty()) call_one();
}

// If none rests, one that works will look for more.
void WorkQueue::call_one() {
  if (resting_.empty()) return;
  Rest& rest = *resting_.back();
  resting_.pop_back();
  rest.is_over = true;
  rest.called.notify_one();
}

WorkQueue::Figures WorkQueue::figures() const {
  const std::lock_guard guard(mutex_);
  return {queue_.size(), running_};
}

void WorkQueue::run() {
  Rest rest;
  std::unique_lock guard(mutex_);
  while (true) {
    if (!queue_.empty()) {
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      ++running_;
      guard.unlock();
      work();
      guard.lock();
      --running_;
    } else if (is_closed_) {
      return;
    } else {
      rest.is_over = false;
      resting_.push_back(&rest);
      rest.called.wait(guard, [&] { return rest.is_over; });
    }
  }
}

}  // namespace frugal::serve
