#include "app/serve/work_queue.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>

using frugal::serve::WorkQueue;

namespace {

// Until no work waits or runs, which is when the threads that did it rest.
void wait_until_idle(const WorkQueue& queue) {
  while (queue.figures().queued + queue.figures().running > 0) std::this_thread::yield();
}

// Returns when `threads` of the queue are at work at the same time.
void occupy(WorkQueue& queue, int threads) {
  std::atomic<int> inside = 0;
  std::promise<void> all_are_in;
  const std::shared_future<void> opened = all_are_in.get_future().share();
  for (int i = 0; i < threads; ++i)
    CHECK(queue.push([&, opened] {
      if (++inside == threads) all_are_in.set_value();
      opened.wait();
    }));
  opened.wait();
  CHECK(inside == threads);
  wait_until_idle(queue);
}

}  // namespace

TEST_CASE("requests that come together are handled together, by as many threads as there are") {
  WorkQueue queue(4, 16);
  occupy(queue, 4);
}

TEST_CASE("one request after the other is handled by one thread of many") {
  constexpr int kThreads = 16;
  WorkQueue queue(kThreads, kThreads);
  occupy(queue, kThreads);  // all have begun, and rest
  std::set<std::thread::id> threads;
  for (int i = 0; i < 100; ++i) {
    CHECK(queue.push([&] { threads.insert(std::this_thread::get_id()); }));
    wait_until_idle(queue);
  }
  CHECK(threads.size() == 1);
}

TEST_CASE("what was accepted is finished, more than fits is refused, and so is everything after the end") {
  std::atomic<int> finished = 0;
  {
    std::promise<void> go;
    const std::shared_future<void> opened = go.get_future().share();
    WorkQueue queue(1, 2);
    CHECK(queue.push([&, opened] { opened.wait(), ++finished; }));
    while (queue.figures().running == 0) std::this_thread::yield();
    CHECK(queue.push([&] { ++finished; }));
    CHECK(queue.push([&] { ++finished; }));
    CHECK(!queue.push([&] { ++finished; }));
    queue.close();
    CHECK(!queue.push([&] { ++finished; }));
    go.set_value();
  }
  CHECK(finished == 3);
}
