#include "base/checked.h"

#include <doctest/doctest.h>

#include <limits>

using namespace frugal;

namespace {
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
}

TEST_CASE("a checked product is the result, or nothing where it would wrap") {
  CHECK(checked_mul(uint64_t(1) << 32, (uint64_t(1) << 32) - 1).has_value());
  CHECK(!checked_mul(uint64_t(1) << 32, uint64_t(1) << 32));
  CHECK(checked_mul(kMax, 0) == 0);
}

TEST_CASE("a range fits only if its end does, even where offset + bytes would wrap") {
  CHECK(fits(0, 10, 10));
  CHECK(fits(10, 0, 10));
  CHECK(!fits(1, 10, 10));
  CHECK(!fits(11, 0, 10));
  CHECK(!fits(kMax, 2, 10));
  CHECK(!fits(5, kMax - 2, 10));
}

TEST_CASE("rounding up reaches the next multiple and leaves multiples alone") {
  CHECK(round_up(0, 64) == 0);
  CHECK(round_up(1, 64) == 64);
  CHECK(round_up(64, 64) == 64);
  CHECK(ceil_div(0, 16) == 0);
  CHECK(ceil_div(16, 16) == 1);
  CHECK(ceil_div(17, 16) == 2);
}
