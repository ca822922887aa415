#include <doctest/doctest.h>

#include "base/error.h"
#include "base/thread_pool.h"
#include "nn/decoder.h"

using namespace frugal;

TEST_CASE("a key-value cache keeps what it holds when it grows, and refuses more than its capacity") {
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads);
  KvCache cache(*ops, 2, 4, 1000, nullptr);
  cache.extend(10);
  cache.keys(1).row<float>(9)[3] = 42;
  cache.advance(10);
  cache.extend(900);
  CHECK(cache.keys(1).row<float>(9)[3] == 42);
  CHECK(cache.length() == 10);
  CHECK_THROWS_WITH_AS(cache.extend(991), "1001 tokens do not fit a context of 1000", Error);
  cache.truncate(3);
  CHECK(cache.length() == 3);
}

TEST_CASE("a key-value cache is reserved in the budget before it is allocated") {
  Budget budget(300 * 2 * 4 * 2 * 4);
  ThreadPool threads(1);
  const auto ops = make_cpu_ops(threads);
  KvCache cache(*ops, 2, 4, 1000, &budget);
  cache.extend(200);
  CHECK(budget.used_bytes(MemoryTag::kv_cache) == 256 * 2 * 4 * 2 * 4);
  CHECK_THROWS_AS(cache.extend(400), Error);
  CHECK(cache.keys(0).rows() == 256);
}
