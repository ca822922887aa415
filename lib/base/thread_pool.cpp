// How a loop runs. The caller publishes it by one store to `state`, wakes sleeping workers, and works itself. Workers
// that see the new number join while the loop is open, then all take ranges from `next` until none is left. The caller
// closes the loop, so that no worker can join any more, and waits until the workers inside have left. A worker that
// slept through a short loop is therefore not waited for: the loop ends without it.
//
// Between loops a worker spins for kSpin, since the next loop of a forward pass follows within microseconds and waking
// a thread takes about 5 µs; only then does it sleep on the condition variable.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than the gap between two loops of a forward pass, yet short enough to cost other work little. In time, not in
// iterations: a pause takes 40 cycles on one processor and 140 on another.
constexpr Clock::duration kSpin = std::chrono::microseconds(30);

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done` is true, kSpin at most. Returns whether it became true.
template <typename Done>
bool spin_until(const Done& done) {
  const Clock::time_point deadline = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      relax();
    }
  } while (Clock::now() < deadline);
  return done();
}

// `state` holds the loop's number (upper 32 bits), whether workers may still join it (kOpen), and how many workers are
// inside (lower 31 bits).
constexpr uint64_t kOpen = uint64_t(1) << 31;
constexpr uint64_t kLoop = uint64_t(1) << 32;  // one step of the loop's number
constexpr uint64_t loop_of(uint64_t state) {
  return state / kLoop;
}
constexpr uint64_t inside(uint64_t state) {
  return state % kOpen;
}

}  // namespace

struct ThreadPool::Shared {
  std::vector<std::thread> workers;
  std::atomic<uint64_t> state{0};
  std::atomic<bool> stop{false};

  // For sleeping and waking only: `sleeping` saves the caller a system call while the workers spin.
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<int> sleeping{0};

  // The loop. Written while it is closed and no worker is inside; read by the workers inside.
  const std::function<void(int64_t, int64_t)>* body = nullptr;
  int64_t count = 0;
  int64_t grain = 1;
  std::atomic<int64_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  void work() {
    for (;;) {
      const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= count) return;
      try {
        (*body)(begin, std::min(begin + grain, count));
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
  }

  bool join(uint64_t& seen) {
    uint64_t now = state.load(std::memory_order_acquire);
    do {
      seen = loop_of(now);
      if (!(now & kOpen)) return false;
    } while (!state.compare_exchange_weak(now, now + 1, std::memory_order_acquire));
    return true;
  }

  void worker_loop() {
    uint64_t seen = 0;
    // Sequentially consistent, like the increment of `sleeping` and the caller's store and load: either the caller sees
    // a sleeper or the sleeper sees the loop.
    const auto called = [&] { return loop_of(state.load()) != seen || stop.load(); };
    while (!stop) {
      if (!spin_until(called)) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, called);
        sleeping.fetch_sub(1);
      }
      if (stop || !join(seen)) continue;
      work();
      state.fetch_sub(1, std::memory_order_release);
    }
  }

  void wake_sleepers() {
    if (sleeping.load() == 0) return;
    { std::lock_guard lock(mutex); }  // no worker is between checking the state and falling asleep
    wake.notify_all();
  }
};

ThreadPool::ThreadPool(int threads) : shared_(std::make_unique<Shared>()) {
  FRUGAL_CHECK(threads >= 1 && threads <= 1024);
  try {
    for (int i = 1; i < threads; ++i) shared_->workers.emplace_back([state = shared_.get()] { state->worker_loop(); });
  } catch (const std::system_error& refusal) {  // the calling thread works as well, so those that run suffice
    log(LogLevel::warn, "{} of {} threads run: {}", this->threads(), threads, refusal.what());
  }
}

ThreadPool::~ThreadPool() {
  shared_->stop = true;
  shared_->wake_sleepers();
  for (std::thread& worker : shared_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(shared_->workers.size()) + 1;
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (shared_->workers.empty() || count <= grain) return body(0, count);
  Shared& s = *shared_;
  s.body = &body;
  s.count = count;
  s.grain = grain;
  s.error = nullptr;
  s.next.store(0, std::memory_order_relaxed);
  s.state.store((loop_of(s.state.load(std::memory_order_relaxed)) + 1) * kLoop + kOpen);
  s.wake_sleepers();
  s.work();
  s.state.fetch_and(~kOpen, std::memory_order_acquire);
  // The workers inside are in their last range. After a short spin the caller yields its time slice: on a machine with
  // more threads than cores a worker needs it.
  const auto empty = [&] { return inside(s.state.load(std::memory_order_acquire)) == 0; };
  if (!spin_until(empty))
    while (!empty()) std::this_thread::yield();
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace frugal
