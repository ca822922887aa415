#include "memory/page_pool.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "memory/budget.h"
#include "memory/growing_arrays.h"
#include "support/errors.h"
#include "telemetry/process_memory.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kSlab = 64 * kKiB;

// Small ones mostly, some of many pages.
uint64_t random_bytes(std::mt19937& random) {
  const auto exponent = std::uniform_int_distribution<int>(0, 17)(random);
  return std::uniform_int_distribution<uint64_t>(1, uint64_t(1) << exponent)(random);
}

bool filled(const std::byte* data, uint64_t bytes, std::byte with) {
  return std::all_of(data, data + bytes, [with](std::byte b) { return b == with; });
}

uint64_t resident_bytes(const std::byte* begin, uint64_t bytes) {
  const uint64_t before = reinterpret_cast<uintptr_t>(begin) % kPage;
  std::vector<unsigned char> pages((before + bytes + kPage - 1) / kPage);
  REQUIRE(::mincore(const_cast<std::byte*>(begin - before), before + bytes, pages.data()) == 0);
  const auto resident = std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; });
  return std::min(bytes, static_cast<uint64_t>(resident) * kPage);
}

// What a program with an error does, which the sanitizer is not to see before the pool does.
__attribute__((no_sanitize("address"))) void overrun(std::byte* at) {
  *at = std::byte(0x11);
}

}  // namespace

TEST_CASE(
    "blocks keep what is written to them, and the books agree with a naive model, in any order of coming and going") {
  for (const bool guards : {false, true}) {
    CAPTURE(guards);
    Budget budget;
    PagePool pool(MemoryTag::io, budget, guards);
    struct Block {
      uint64_t bytes;
      std::byte with;
    };
    std::map<std::byte*, Block> live;  // the model: begins and lengths
    uint64_t live_bytes = 0;
    std::mt19937 random(7);
    for (int step = 0; step < 4000; ++step) {
      if (live.empty() || random() % 5 < 3) {
        const Block block{random_bytes(random), std::byte(random())};
        std::byte* data = pool.allocate(block.bytes, "a test");
        REQUIRE(reinterpret_cast<uintptr_t>(data) % PagePool::kAlignment == 0);
        const auto next = live.lower_bound(data);
        REQUIRE((next == live.end() || data + block.bytes <= next->first));
        REQUIRE((next == live.begin() || std::prev(next)->first + std::prev(next)->second.bytes <= data));
        std::memset(data, static_cast<int>(block.with), block.bytes);
        live.emplace(data, block);
        live_bytes += block.bytes;
      } else {
        const auto gone = std::next(live.begin(), static_cast<long>(random() % live.size()));
        REQUIRE(filled(gone->first, gone->second.bytes, gone->second.with));
        live_bytes -= gone->second.bytes;
        pool.deallocate(gone->first);
        live.erase(gone);
      }
      const PoolStats stats = pool.stats();
      REQUIRE(stats.used_bytes == live_bytes);
      REQUIRE(stats.blocks == int64_t(live.size()));
      REQUIRE(stats.used_bytes <= stats.held_bytes);
      REQUIRE(stats.held_bytes <= stats.committed_bytes);
      REQUIRE(budget.used_bytes(MemoryTag::io) == stats.committed_bytes);
    }
    const PoolStats full = pool.stats();
    CHECK(full.utilisation() + full.internal_fragmentation() + full.external_fragmentation() == doctest::Approx(1));
    for (const auto& [data, block] : live) pool.deallocate(data);
    const PoolStats empty = pool.stats();
    CHECK(empty.used_bytes == 0);
    CHECK(empty.committed_bytes <= 4 * kSlab);  // a few slabs are kept
    CHECK(empty.peak_committed_bytes >= full.committed_bytes);
    CHECK(empty.largest_free_run_bytes <= empty.free_address_bytes);
    CHECK(empty.free_address_bytes == empty.address_bytes - empty.committed_bytes);
    CHECK(empty.mean_residency_ms > 0);
  }
}

TEST_CASE("a block takes at most a quarter more than was asked for, or its last page") {
  Budget budget;
  PagePool pool(MemoryTag::io, budget);
  if (const auto probe = pool.make(64, "a test"); pool.stats().held_bytes > 64) return;  // guards in every block
  for (uint64_t bytes = 64; bytes < 80'000; bytes += 61) {
    const auto block = pool.make(bytes, "a test");
    const uint64_t held = pool.stats().held_bytes;
    CAPTURE(bytes);
    CHECK((held <= bytes + bytes / 4 + 64 || held < bytes + kPage));
  }
}

TEST_CASE("memory goes back to the system when a block does") {
  Budget budget;
  PagePool pool(MemoryTag::io, budget);
  const uint64_t before = read_memory().anon_bytes;
  std::byte* block = pool.allocate(64 * kMiB, "a test");
  CHECK(read_memory().anon_bytes < before + 8 * kMiB);  // nothing is touched yet
  std::memset(block, 1, 64 * kMiB);
  CHECK(read_memory().anon_bytes > before + 60 * kMiB);
  pool.deallocate(block);
  CHECK(read_memory().anon_bytes < before + 8 * kMiB);
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("to release a block twice, or one of another origin, is an error and changes nothing") {
  Budget budget;
  PagePool pool(MemoryTag::io, budget);
  for (const uint64_t bytes : {uint64_t(100), uint64_t(100'000)}) {
    std::byte* block = pool.allocate(bytes, "a test");
    const auto other = pool.make(bytes, "a test");
    CHECK_THROWS_AS(pool.deallocate(block + 64), Error);
    pool.deallocate(block);
    CHECK_THROWS_AS(pool.deallocate(block), Error);
    CHECK(pool.stats().used_bytes == bytes);
  }
  std::byte elsewhere;
  CHECK_THROWS_AS(pool.deallocate(&elsewhere), Error);
  CHECK_THROWS_AS(pool.deallocate(nullptr), Error);
}

TEST_CASE("with guards, a byte written past either end is found when the block comes back") {
  Budget budget;
  PagePool pool(MemoryTag::kv_cache, budget, true);
  for (const uint64_t bytes : {uint64_t(100), uint64_t(8'000), uint64_t(20'000), uint64_t(100'000)}) {
    CAPTURE(bytes);
    for (const int64_t at : {int64_t(-1), int64_t(-64), int64_t(bytes), int64_t(bytes) + 63}) {
      CAPTURE(at);
      std::byte* block = pool.allocate(bytes, "a test");
      std::memset(block, 0, bytes);
      overrun(block + at);
      CHECK(contains(message_of([&] { pool.deallocate(block); }), "out of bounds"));
      CHECK(pool.stats().blocks == 0);  // and it is given back all the same
    }
    std::byte* sound = pool.allocate(bytes, "a test");
    std::memset(sound, 0, bytes);
    CHECK_NOTHROW(pool.deallocate(sound));
  }
}

TEST_CASE("more than the budget or any machine has is refused before it is allocated, and nothing is lost") {
  Budget budget(kMiB);
  PagePool& pool = budget.pool(MemoryTag::activations);
  const auto held = pool.make(600 * kKiB, "the first");
  const uint64_t used = budget.used_bytes();
  try {
    pool.allocate(600 * kKiB, "the second");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
    CHECK(contains(error.message(), "the second"));
  }
  Budget unlimited;
  for (const uint64_t bytes : {~uint64_t(0), ~uint64_t(0) - 100, uint64_t(1) << 62, uint64_t(1) << 55}) {
    CHECK_THROWS_AS(pool.allocate(bytes, "too much"), Error);
    CHECK_THROWS_AS(unlimited.pool(MemoryTag::io).allocate(bytes, "too much"), Error);
    CHECK_THROWS_AS(GrowingArrays(pool, std::vector{bytes, bytes}), Error);
  }
  CHECK(budget.used_bytes() == used);
  CHECK(unlimited.used_bytes() == 0);
  CHECK(pool.stats().blocks == 1);
  CHECK_NOTHROW(pool.make(300 * kKiB, "a block that fits"));
}

TEST_CASE("a reclaimer may release a block of the pool that reserves") {
  class Cache final : public Reclaimer {
   public:
    explicit Cache(Budget& budget) : budget_(budget), block_(budget.pool(MemoryTag::io).make(800 * kKiB, "a cache")) {
      budget_.add(*this);
    }
    ~Cache() override { budget_.remove(*this); }
    uint64_t reclaim(uint64_t) override {
      if (!block_) return 0;
      block_.reset();
      return 800 * kKiB;
    }

   private:
    Budget& budget_;
    PagePool::Block block_;
  };
  Budget budget(kMiB);
  const Cache cache(budget);
  const auto block = budget.pool(MemoryTag::io).make(700 * kKiB, "another block");
  CHECK(budget.used_bytes() >= 700 * kKiB);
  CHECK(budget.used_bytes() <= 700 * kKiB + 2 * kPage);  // with guards, if the build has them
}

TEST_CASE("threads may share a pool") {
  Budget budget;
  PagePool pool(MemoryTag::io, budget);
  std::array<bool, 4> intact{true, true, true, true};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < intact.size(); ++t)
    threads.emplace_back([&pool, &intact, t] {
      std::mt19937 random(t);
      std::vector<std::pair<std::byte*, uint64_t>> mine;
      for (int step = 0; step < 2000; ++step) {
        if (mine.size() < 20) {
          const uint64_t bytes = random_bytes(random);
          mine.emplace_back(pool.allocate(bytes, "a test"), bytes);
          std::memset(mine.back().first, static_cast<int>(t), bytes);
        } else {
          std::swap(mine[random() % mine.size()], mine.back());
          intact[t] = intact[t] && filled(mine.back().first, mine.back().second, std::byte(t));
          pool.deallocate(mine.back().first);
          mine.pop_back();
        }
      }
      for (const auto& [data, bytes] : mine) pool.deallocate(data);
    });
  for (std::thread& thread : threads) thread.join();
  for (const bool one : intact) CHECK(one);
  CHECK(pool.stats().used_bytes == 0);
  CHECK(pool.stats().allocations > 4000);
}

TEST_CASE(
    "where others share the machine, granted pages are there at once, and what others took meanwhile is refused") {
  uint64_t left = 1000 * kMiB, looks = 0;
  BudgetLimits limits;
  limits.total_bytes = 900 * kMiB;
  limits.available_bytes = [&] {
    ++looks;
    return left - std::min(left, looks * 100 * kMiB);  // others are quick
  };
  Budget budget(limits);
  PagePool& pool = budget.pool(MemoryTag::kv_cache);
  std::byte* block = pool.allocate(4 * kMiB, "keys");
  CHECK(resident_bytes(block, 4 * kMiB) == 4 * kMiB);
  CHECK(looks == 4);

  CHECK_THROWS_AS(pool.allocate(8 * kMiB, "more keys"), Error);
  GrowingArrays arrays(pool, {16 * kMiB, 16 * kMiB});
  looks = 0;
  arrays.grow_to(std::array<uint64_t, 2>{kMiB, kMiB}, "two arrays");
  CHECK(resident_bytes(arrays.data(1), kMiB) == kMiB);
  const uint64_t before = budget.used_bytes();
  CHECK_THROWS_AS(arrays.grow_to(std::array<uint64_t, 2>{8 * kMiB, 8 * kMiB}, "two arrays"), Error);
  CHECK(arrays.committed_bytes() == 2 * kMiB);
  CHECK(budget.used_bytes() == before);
  CHECK(pool.stats().committed_bytes == before);
  pool.deallocate(block);
}

TEST_CASE("where nobody shares the machine, pages come as they are touched") {
  Budget budget(900 * kMiB);
  const PagePool::Block block = budget.pool(MemoryTag::kv_cache).make(4 * kMiB, "keys");
  CHECK(resident_bytes(block.get(), 4 * kMiB) < 64 * kKiB);
}
