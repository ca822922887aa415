// Joins the work of requests that come at the same time into one forward pass. There is no timer: the first thread
// computes at once, and what arrives while it does is taken together by the next. So a lone request waits for nothing,
// and a busy server makes large batches.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "app/api/fair_mutex.h"

namespace frugal::api {

/// Job: a request with room for its result, and `size_t weight() const`, what it counts against the limit of a batch.
template <typename Job>
class Batcher {
 public:
  using Execute = std::function<void(std::span<Job* const>)>;

  /// `execute` runs with `turn` held, for one batch at a time. max_weight: of a batch with more than one job.
  Batcher(FairMutex& turn, size_t max_weight, Execute execute)
      : turn_(turn), max_weight_(max_weight), execute_(std::move(execute)) {}

  /// Returns when the job is done. Throws what `execute` throws for its batch, after it was tried alone.
  void run(Job& job) {
    Waiting self{&job, {}, false};
    std::unique_lock guard(mutex_);
    waiting_.push_back(&self);
    while (!self.done) {
      if (leads_)
        changed_.wait(guard, [&] { return self.done || !leads_; });
      else
        lead(guard);
    }
    if (self.failure) std::rethrow_exception(self.failure);
  }

 private:
  struct Waiting {
    Job* job;
    std::exception_ptr failure;
    bool done;
  };

  // Takes the oldest jobs, when it is their turn, and computes them.
  void lead(std::unique_lock<std::mutex>& guard) {
    leads_ = true;
    guard.unlock();
    std::vector<Waiting*> batch;
    {
      const std::lock_guard turn(turn_);
      guard.lock();
      batch = take();
      guard.unlock();
      compute(batch);
    }
    guard.lock();
    for (Waiting* each : batch) each->done = true;
    leads_ = false;
    changed_.notify_all();
  }

  std::vector<Waiting*> take() {
    size_t count = 0, weight = 0;
    while (count < waiting_.size() && (count == 0 || weight + waiting_[count]->job->weight() <= max_weight_))
      weight += waiting_[count++]->job->weight();
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Waiting*> batch(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    return batch;
  }

  // A batch that fails is computed job by job: one bad request does not fail the others.
  void compute(const std::vector<Waiting*>& batch) {
    if (batch.size() > 1 && try_together(batch)) return;
    for (Waiting* each : batch) try {
        execute_(std::span(&each->job, 1));
      } catch (...) {
        each->failure = std::current_exception();
      }
  }

  bool try_together(const std::vector<Waiting*>& batch) {
    std::vector<Job*> jobs;
    jobs.reserve(batch.size());
    for (const Waiting* each : batch) jobs.push_back(each->job);
    try {
      execute_(jobs);
      return true;
    } catch (...) {
      return false;
    }
  }

  FairMutex& turn_;
  const size_t max_weight_;
  const Execute execute_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting*> waiting_;
  bool leads_ = false;
};

}  // namespace frugal::api
