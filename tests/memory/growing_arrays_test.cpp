#include "memory/growing_arrays.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "memory/budget.h"
#include "memory/page_pool.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr uint64_t kPage = 4096;

bool filled(const std::byte* data, uint64_t bytes, std::byte with) {
  return std::all_of(data, data + bytes, [with](std::byte b) { return b == with; });
}

}  // namespace

TEST_CASE("arrays grow where they are, together, and take pages only as they grow") {
  Budget budget;
  PagePool& pool = budget.pool(MemoryTag::kv_cache);
  {
    GrowingArrays arrays(pool, {kGiB, 10'000, kGiB});
    CHECK(budget.used_bytes() == 0);
    std::byte *first = arrays.data(0), *last = arrays.data(2);
    arrays.grow_to(std::array<uint64_t, 3>{100, 5000, 0}, "a test");
    CHECK(budget.used_bytes(MemoryTag::kv_cache) == 3 * kPage);
    std::memset(first, 1, 100);
    std::memset(arrays.data(1), 2, 5000);
    arrays.grow_to(std::array<uint64_t, 3>{9 * kMiB, 10'000, kMiB}, "a test");
    CHECK(arrays.data(0) == first);
    CHECK(arrays.data(2) == last);
    CHECK(filled(first, 100, std::byte(1)));
    CHECK(filled(arrays.data(1), 5000, std::byte(2)));
    std::memset(first, 3, 9 * kMiB);
    std::memset(last, 4, kMiB);
    CHECK(filled(arrays.data(1), 5000, std::byte(2)));
    CHECK(arrays.committed_bytes() == 10 * kMiB + 3 * kPage);
    CHECK(pool.stats().used_bytes == 10 * kMiB + 10'000);
    arrays.grow_to(std::array<uint64_t, 3>{0, 0, 0}, "a test");  // never shrinks
    CHECK(arrays.committed_bytes() == 10 * kMiB + 3 * kPage);
    CHECK_THROWS_AS(arrays.grow_to(std::array<uint64_t, 3>{0, 10'001, 0}, "a test"), Error);
    arrays.shrink_to(2, 5000);
    CHECK(arrays.committed_bytes() == 9 * kMiB + 5 * kPage);
    CHECK(budget.used_bytes() == arrays.committed_bytes());
    CHECK(filled(last, 5000, std::byte(4)));
    GrowingArrays moved = std::move(arrays);
    CHECK(moved.data(0) == first);
  }
  CHECK(budget.used_bytes() == 0);
  CHECK(pool.stats().committed_bytes == 0);
  CHECK(pool.stats().free_address_bytes == pool.stats().address_bytes);
}

TEST_CASE("a refusal leaves growing arrays as they were") {
  Budget budget(kMiB);
  GrowingArrays arrays(budget.pool(MemoryTag::kv_cache), {kGiB, kGiB});
  arrays.grow_to(std::array<uint64_t, 2>{400 * kKiB, 400 * kKiB}, "a test");
  std::memset(arrays.data(0), 5, 400 * kKiB);
  CHECK(contains(message_of([&] {
                   arrays.grow_to(std::array<uint64_t, 2>{600 * kKiB, 600 * kKiB}, "the cache");
                 }),
                 "the cache needs 400.0 KiB"));
  CHECK(arrays.committed_bytes() == 800 * kKiB);
  CHECK(budget.used_bytes() == 800 * kKiB);
  CHECK(filled(arrays.data(0), 400 * kKiB, std::byte(5)));
  arrays.grow_to(std::array<uint64_t, 2>{500 * kKiB, 500 * kKiB}, "the cache");
  CHECK(filled(arrays.data(0), 400 * kKiB, std::byte(5)));
}
