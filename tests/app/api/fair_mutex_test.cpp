#include "app/api/fair_mutex.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace frugal::api {
namespace {

TEST_CASE("who waits for a mutex gets it before an owner that lets go and asks again") {
  FairMutex mutex;
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    std::atomic<bool> has_had_turn = false;
    mutex.lock();
    std::thread other([&] {
      const std::lock_guard turn(mutex);
      has_had_turn = true;
    });
    while (!mutex.is_wanted()) std::this_thread::yield();
    mutex.unlock();
    mutex.lock();
    CHECK(has_had_turn);
    CHECK_FALSE(mutex.is_wanted());
    mutex.unlock();
    other.join();
  }
}

TEST_CASE("a try succeeds only without an owner, and its owner keeps others out until it lets go") {
  FairMutex mutex;
  REQUIRE(mutex.try_lock());
  CHECK_FALSE(mutex.try_lock());
  std::atomic<bool> is_in = false;
  std::thread other([&] {
    const std::lock_guard turn(mutex);
    is_in = true;
  });
  while (!mutex.is_wanted()) std::this_thread::yield();
  CHECK_FALSE(is_in);
  mutex.unlock();
  other.join();
  CHECK(is_in);
  CHECK(mutex.try_lock());
  mutex.unlock();
}

TEST_CASE("one thread at a time is inside, whether it waited or tried") {
  FairMutex mutex;
  int64_t entries = 0, by_threads = 0;  // plain: the mutex alone guards `entries`
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  std::vector<int64_t> done(4);
  for (size_t t = 0; t < done.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if (t % 2 == 0)
          mutex.lock();
        else if (!mutex.try_lock())
          continue;
        if (const int now = ++inside; now > most) most = now;
        ++entries, ++done[t];
        --inside;
        mutex.unlock();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const int64_t each : done) by_threads += each;
  CHECK(most == 1);
  CHECK(entries == by_threads);
  CHECK(done[0] == 2000);
}

}  // namespace
}  // namespace frugal::api
