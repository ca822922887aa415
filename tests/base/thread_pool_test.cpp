#include "base/thread_pool.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

using namespace frugal;

TEST_CASE("every index is visited exactly once, for any count, grain and number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int64_t count : {0, 1, 2, 7, 64, 1000}) {
      for (const int64_t grain : {0, 1, 3, 64, 5000}) {
        CAPTURE(threads);
        CAPTURE(count);
        CAPTURE(grain);
        std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
        pool.parallel_for(count, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) visits[static_cast<size_t>(i)].fetch_add(1);
        });
        for (const std::atomic<int>& v : visits) REQUIRE(v == 1);
      }
    }
  }
}

TEST_CASE("ranges are multiples of the grain, except the last") {
  ThreadPool pool(4);
  std::mutex mutex;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  pool.parallel_for(103, 10, [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  for (const auto& [begin, end] : ranges) {
    CHECK(begin % 10 == 0);
    CHECK((end % 10 == 0 || end == 103));
  }
}

TEST_CASE("what a loop wrote is visible to the caller and to the next loop, over thousands of short loops") {
  ThreadPool pool(4);
  std::vector<int64_t> values(64, 0);  // plain integers: a missing fence is a data race that tsan reports
  for (int round = 0; round < 5000; ++round)
    pool.parallel_for(64, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += i;
    });
  for (int64_t i = 0; i < 64; ++i) CHECK(values[static_cast<size_t>(i)] == 5000 * i);
}

TEST_CASE("workers that fell asleep between loops are woken for the next one") {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // longer than a worker spins
    // Each of two ranges waits for the other to have begun: it ends only if two threads take part.
    std::atomic<int> begun{0};
    pool.parallel_for(2, 1, [&](int64_t, int64_t) {
      begun.fetch_add(1);
      while (begun.load() < 2) std::this_thread::yield();
    });
    CHECK(begun == 2);
  }
}

TEST_CASE("the first exception reaches the caller, and the pool goes on working") {
  ThreadPool pool(3);
  for (int round = 0; round < 100; ++round) {
    CHECK_THROWS_WITH(pool.parallel_for(50, 1,
                                        [](int64_t begin, int64_t) {
                                          if (begin == 17) throw std::runtime_error("range 17");
                                        }),
                      "range 17");
    std::atomic<int64_t> sum{0};
    pool.parallel_for(10, 1, [&](int64_t begin, int64_t) { sum += begin; });
    CHECK(sum == 45);
  }
}

TEST_CASE("after an exception, ranges that have not begun are given up") {
  ThreadPool pool(2);
  std::atomic<int64_t> ran{0};
  CHECK_THROWS(pool.parallel_for(1'000'000, 1, [&](int64_t, int64_t) {
    ran.fetch_add(1);
    throw std::runtime_error("at once");
  }));
  CHECK(ran <= 2);
}

TEST_CASE("a pool of one runs in the caller's thread, in one range") {
  ThreadPool pool(1);
  CHECK(pool.threads() == 1);
  int calls = 0;
  pool.parallel_for(100, 7, [&](int64_t begin, int64_t end) {
    ++calls;
    CHECK(begin == 0);
    CHECK(end == 100);
  });
  CHECK(calls == 1);
}

TEST_CASE("a pool without threads is refused") {
  CHECK_THROWS_AS(ThreadPool(0), Error);
}

TEST_CASE("a pool that the system refuses threads is smaller, and works") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("SKIP: a sanitizer does not live with a limit on the address space");
#else
  const pid_t child = ::fork();
  if (child == 0) {
    // No new mapping fits, and so no stack of a thread; the heap has room in the mappings that are there.
    std::ifstream status("/proc/self/statm");
    rlim_t pages = 0;
    status >> pages;
    const rlim_t bytes = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t(1) << 20);
    const rlimit limit{bytes, bytes};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(2);
    ThreadPool pool(64);  // more than glibc keeps stacks of threads that are gone
    std::atomic<int64_t> sum{0};
    pool.parallel_for(100, 1, [&](int64_t begin, int64_t) { sum += begin; });
    ::_exit(pool.threads() < 64 && sum == 4950 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
#endif
}
