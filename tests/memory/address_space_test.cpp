#include "memory/address_space.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "base/units.h"

using namespace frugal;

TEST_CASE("addresses that are given back join their neighbours, in any order") {
  AddressSpace space("a test");
  const uint64_t page = AddressSpace::page_bytes();
  std::vector<std::byte*> taken;
  for (int i = 0; i < 5; ++i) taken.push_back(space.take(page, page));
  const uint64_t reserved = space.stats().address_bytes;
  for (const size_t i : {1, 3, 2, 0, 4}) space.give_back(taken[i], page);
  CHECK(space.stats().address_bytes == reserved);
  CHECK(space.stats().free_address_bytes == reserved);
  CHECK(space.stats().largest_free_run_bytes == reserved);
}

TEST_CASE("the smallest run that is large enough is taken, from an aligned address") {
  AddressSpace space("a test");
  const uint64_t page = AddressSpace::page_bytes();
  std::byte* large = space.take(4 * page, page);
  space.take(page, page);
  std::byte* small = space.take(2 * page, page);
  space.take(page, page);
  space.give_back(large, 4 * page);
  space.give_back(small, 2 * page);
  CHECK(space.take(2 * page, page) == small);
  CHECK(space.take(3 * page, page) == large);
  CHECK(reinterpret_cast<uintptr_t>(space.take(page, 64 * kKiB)) % (64 * kKiB) == 0);
}

TEST_CASE("pages are counted while they are committed, and are zero when they come back") {
  AddressSpace space("a test");
  const uint64_t page = AddressSpace::page_bytes();
  std::byte* begin = space.take(4 * page, page);
  REQUIRE(space.commit(begin, 2 * page));
  std::memset(begin, 7, 2 * page);
  CHECK(space.stats().committed_bytes == 2 * page);
  space.decommit(begin, 4 * page, 2 * page);
  CHECK(space.stats().committed_bytes == 0);
  CHECK(space.stats().peak_committed_bytes == 2 * page);
  REQUIRE(space.commit(begin, page));
  CHECK(*begin == std::byte(0));
}

TEST_CASE("an allocation larger than a segment gets one of its own") {
  AddressSpace space("a test");
  CHECK(space.take(3 * kGiB, AddressSpace::page_bytes()) != nullptr);
  CHECK(space.stats().address_bytes >= 3 * kGiB);
}
