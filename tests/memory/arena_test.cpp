#include "memory/arena.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "memory/budget.h"
#include "telemetry/trace.h"

using namespace frugal;

TEST_CASE("allocations are aligned and do not overlap, across many blocks and sizes") {
  Arena arena(Budget::unlimited());
  struct Piece {
    std::byte* data;
    uint64_t bytes;
  };
  std::vector<Piece> pieces;
  for (uint64_t i = 0; i < 200; ++i) {
    const uint64_t bytes = i * 977 % 40'000;
    pieces.push_back({arena.allocate(bytes), bytes});
    REQUIRE(reinterpret_cast<uintptr_t>(pieces.back().data) % Arena::kAlignment == 0);
    std::memset(pieces.back().data, int(i), bytes);
  }
  for (uint64_t i = 0; i < pieces.size(); ++i)
    CHECK(
        std::all_of(pieces[i].data, pieces[i].data + pieces[i].bytes, [i](std::byte b) { return b == std::byte(i); }));
}

TEST_CASE("a rewound arena gives the same memory again, and keeps what was before the mark") {
  Arena arena(Budget::unlimited());
  std::byte* kept = arena.allocate(100);
  std::memset(kept, 7, 100);
  const Arena::Mark mark = arena.mark();
  std::byte* first = arena.allocate(1000);
  arena.reset(mark);
  CHECK(arena.allocate(1000) == first);
  CHECK(kept[99] == std::byte(7));
}

TEST_CASE("an arena holds little more than what was alive at once, and passes of one size grow it no further") {
  Arena arena(Budget::unlimited());
  const auto pass = [&] {
    for (int i = 0; i < 40; ++i) arena.allocate(50'000);
    arena.reset();
  };
  pass();
  pass();
  const uint64_t settled = arena.capacity_bytes();
  CHECK(settled >= 40 * 50'000);
  CHECK(settled <= 40 * 50'048 + 128 * kKiB);
  for (int i = 0; i < 5; ++i) pass();
  CHECK(arena.capacity_bytes() == settled);
}

TEST_CASE("what a long pass took goes back after a short one, but not after one of about its size") {
  Budget budget;
  Arena arena(budget);
  const auto pass = [&](uint64_t bytes) {
    arena.allocate(bytes);
    arena.reset();
    return arena.capacity_bytes();
  };
  const uint64_t large = pass(8 * kMiB);
  CHECK(large >= 8 * kMiB);
  CHECK(pass(5 * kMiB) == large);
  const uint64_t before = read_memory().anon_bytes;
  std::memset(arena.allocate(8 * kMiB), 1, 8 * kMiB);
  CHECK(read_memory().anon_bytes > before + 7 * kMiB);
  arena.reset();
  CHECK(pass(10'000) <= 128 * kKiB);
  CHECK(budget.used_bytes() == arena.capacity_bytes());
  CHECK(read_memory().anon_bytes < before + kMiB);
  CHECK(pass(8 * kMiB) == large);
}

TEST_CASE("pages are reserved in the budget before they are taken, and given back") {
  Budget budget(4 * kMiB);
  {
    Arena arena(budget);
    arena.allocate(1 * kMiB);
    CHECK(budget.used_bytes(MemoryTag::activations) == arena.capacity_bytes());
    CHECK_THROWS_AS(arena.allocate(8 * kMiB), Error);
    CHECK(budget.used_bytes() == arena.capacity_bytes());
    CHECK(arena.allocate(64) != nullptr);  // a refusal leaves the arena usable
    arena.clear();
    CHECK(budget.used_bytes() == 0);
  }
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE("ending a pass never throws, even if somebody else took what was left of the budget") {
  Budget budget(4 * kMiB);
  Arena arena(budget);
  arena.allocate(1 * kMiB);
  arena.allocate(1 * kMiB);
  arena.reset();
  const Reservation greedy = budget.reserve(MemoryTag::weights, budget.limit_bytes() - budget.used_bytes(), "weights");
  arena.reset();
  CHECK_THROWS_AS(arena.allocate(3 * kMiB), Error);
}

TEST_CASE("a size that no machine has is an internal error, not a wrapped allocation") {
  Arena arena(Budget::unlimited());
  CHECK_THROWS_AS(arena.allocate(~uint64_t(0)), Error);
  CHECK_THROWS_AS(arena.allocate(uint64_t(1) << 62), Error);
}
