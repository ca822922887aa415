#include "memory/budget.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/units.h"

using namespace frugal;

TEST_CASE("reservations count by tag and are given back when they die, are released or are replaced") {
  Budget budget(100);
  {
    Reservation weights = budget.reserve(MemoryTag::weights, 60, "weights");
    Reservation io = budget.reserve(MemoryTag::io, 40, "buffer");
    CHECK(budget.used_bytes() == 100);
    CHECK(budget.used_bytes(MemoryTag::weights) == 60);
    CHECK(budget.used_bytes(MemoryTag::io) == 40);
    io.release();
    io.release();
    CHECK(budget.used_bytes() == 60);
    weights = budget.reserve(MemoryTag::index, 10, "index");
    CHECK(budget.used_bytes() == 10);
  }
  CHECK(budget.used_bytes() == 0);
  CHECK(budget.peak_bytes() == 100);
}

TEST_CASE("a moved reservation is given back once") {
  Budget budget(100);
  Reservation first = budget.reserve(MemoryTag::io, 30, "buffer");
  Reservation second = std::move(first);
  CHECK(first.bytes() == 0);
  CHECK(second.bytes() == 30);
  first.release();
  CHECK(budget.used_bytes() == 30);
  second.release();
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("what does not fit is refused with the need, the use and the limit, and nothing is taken") {
  Budget budget(10 * kMiB);
  const Reservation held = budget.reserve(MemoryTag::weights, 8 * kMiB, "weights");
  try {
    budget.reserve(MemoryTag::kv_cache, 4 * kMiB, "the KV cache");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == Code::over_budget);
    for (const char* part : {"the KV cache", "4.0 MiB", "8.0 MiB", "10.0 MiB"})
      CHECK(error.message().find(part) != std::string::npos);
    CHECK(error.hint().find("13MiB") != std::string::npos);
  }
  CHECK(budget.used_bytes() == 8 * kMiB);
  CHECK_NOTHROW(budget.reserve(MemoryTag::kv_cache, 2 * kMiB, "the KV cache"));
}

TEST_CASE("a request so large that the sum would wrap is refused") {
  Budget budget(100);
  const Reservation held = budget.reserve(MemoryTag::io, 50, "buffer");
  CHECK_THROWS_AS(budget.reserve(MemoryTag::io, ~uint64_t(0) - 10, "all of it"), Error);
}

TEST_CASE("a budget of 0 has no limit and still counts") {
  Budget budget;
  const Reservation held = budget.reserve(MemoryTag::io, uint64_t(1) << 50, "much");
  CHECK(budget.used_bytes() == uint64_t(1) << 50);
}

TEST_CASE("threads that reserve at once never exceed the limit together") {
  Budget budget(1000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&budget] {
      for (int i = 0; i < 2000; ++i) {
        try {
          const Reservation held = budget.reserve(MemoryTag::io, 300, "a piece");
        } catch (const Error&) {
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(budget.used_bytes() == 0);
  CHECK(budget.peak_bytes() <= 1000);
}

namespace {

// Holds bytes of a budget and gives back half of them when asked.
class Cache final : public Reclaimer {
 public:
  Cache(Budget& budget, uint64_t bytes) : budget_(budget), held_(budget.reserve(MemoryTag::index, bytes, "a cache")) {
    budget_.add(*this);
  }
  ~Cache() override { budget_.remove(*this); }
  uint64_t reclaim(uint64_t) override {
    const uint64_t before = held_.bytes();
    held_.shrink_to(before / 2);
    return before - held_.bytes();
  }
  uint64_t bytes() const { return held_.bytes(); }

 private:
  Budget& budget_;
  Reservation held_;
};

}  // namespace

TEST_CASE("who can let go is asked, as often as it takes, before anything is refused") {
  Budget budget(100);
  const Cache cache(budget, 80);
  const Reservation held = budget.reserve(MemoryTag::activations, 75, "work");
  CHECK(cache.bytes() == 20);
  CHECK(budget.used_bytes() == 95);
  CHECK_THROWS_AS(budget.reserve(MemoryTag::activations, 30, "work"), Error);
  CHECK(budget.used_bytes(MemoryTag::index) == cache.bytes());
}

TEST_CASE("a tag has a limit of its own, and the refusal names the key that sets it") {
  BudgetLimits limits;
  limits.total_bytes = 100 * kMiB;
  limits.by_tag[static_cast<size_t>(MemoryTag::kv_cache)] = 10 * kMiB;
  Budget budget(limits);
  CHECK_NOTHROW(budget.reserve(MemoryTag::weights, 50 * kMiB, "weights"));
  try {
    budget.reserve(MemoryTag::kv_cache, 11 * kMiB, "the KV cache");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message() == "the KV cache needs 11.0 MiB, 0 B of 10.0 MiB are in use for kv_cache");
    CHECK(error.hint() == "it could run with --set memory.limits.kv_cache=12MiB");
  }
}

TEST_CASE("as much as there is may be asked for") {
  Budget budget(100);
  const Reservation held = budget.reserve(MemoryTag::weights, 70, "weights");
  CHECK(budget.reserve_up_to(MemoryTag::weights, 50, Budget::Reclaim::no).bytes() == 30);
  Reservation first = budget.reserve_up_to(MemoryTag::weights, 10, Budget::Reclaim::no);
  first.absorb(budget.reserve_up_to(MemoryTag::weights, 10, Budget::Reclaim::no));
  CHECK(first.bytes() == 20);
  first.shrink_to(5);
  CHECK(budget.used_bytes() == 75);
}

TEST_CASE("what was available at the start and is not now is refused, but for pages that the kernel can take back") {
  uint64_t left = 1000 * kMiB;
  BudgetLimits limits;
  limits.total_bytes = 900 * kMiB;
  limits.available_bytes = [&] { return left; };
  Budget budget(limits);
  const Reservation before = budget.reserve(MemoryTag::kv_cache, 10 * kMiB, "keys");
  left = 30 * kMiB;  // others came
  CHECK_THROWS_AS(budget.reserve(MemoryTag::kv_cache, 10 * kMiB, "keys"), Error);
  CHECK(budget.used_bytes() == 10 * kMiB);
  CHECK_NOTHROW(budget.reserve(MemoryTag::weights, 100 * kMiB, "mapped"));
  CHECK_NOTHROW(budget.reserve(MemoryTag::io, 1000, "a little"));
}

TEST_CASE("a host's budget lists its devices while they live, and counts none of their bytes") {
  Budget host(10 * kMiB);
  CHECK(host.devices().empty());
  {
    Budget gpu(host, BudgetLimits{kGiB, {}, {}, "gpu"});
    const Reservation weights = gpu.reserve(MemoryTag::weights, 100 * kMiB, "weights");
    REQUIRE(host.devices().size() == 1);
    CHECK(host.devices()[0].tier == "gpu");
    CHECK(host.devices()[0].limit_bytes == kGiB);
    CHECK(host.devices()[0].used_bytes == 100 * kMiB);
    CHECK(host.used_bytes() == 0);
  }
  CHECK(host.devices().empty());
}

TEST_CASE("the process has one budget without a limit, which counts") {
  Budget& unlimited = Budget::unlimited();
  CHECK(&unlimited == &Budget::unlimited());
  CHECK_FALSE(unlimited.limited());
  const uint64_t before = unlimited.used_bytes(MemoryTag::io);
  const Reservation held = unlimited.reserve(MemoryTag::io, kGiB, "a test");
  CHECK(unlimited.used_bytes(MemoryTag::io) == before + kGiB);
}
