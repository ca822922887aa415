#include "telemetry/memory_series.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace frugal;

namespace {

uint64_t peak(const MemorySeries& series) {
  uint64_t most = 0;
  for (const MemoryPoint& point : series.points()) most = std::max(most, point.anon_with_swap_bytes);
  return most;
}

}  // namespace

TEST_CASE("a series that fits keeps every reading as it was") {
  MemorySeries series(4);
  for (int64_t i = 0; i < 4; ++i) series.add({i, static_cast<uint64_t>(10 * i), 1, 2});
  REQUIRE(series.points().size() == 4);
  CHECK(series.points()[3].time_ns == 3);
  CHECK(series.points()[3].anon_with_swap_bytes == 30);
}

TEST_CASE("a series never outgrows its capacity, and no single reading's peak is lost") {
  constexpr int64_t kReadings = 1000;
  for (int64_t spike = 0; spike < kReadings; spike += 37) {
    MemorySeries series(8);
    for (int64_t i = 0; i < kReadings; ++i) series.add({i, i == spike ? 99u : 5u, 7, 0});
    CHECK(series.points().size() <= 8);
    CHECK(series.points().size() >= 4);
    CHECK(peak(series) == 99);
    const auto at = std::find_if(series.points().begin(), series.points().end(),
                                 [](const MemoryPoint& p) { return p.anon_with_swap_bytes == 99; });
    CHECK(at->time_ns == spike);
  }
}

TEST_CASE("times of a halved series still rise") {
  MemorySeries series(16);
  for (int64_t i = 0; i < 5000; ++i) series.add({i, static_cast<uint64_t>(i * 7919 % 1000), 0, 0});
  for (size_t i = 1; i < series.points().size(); ++i)
    CHECK(series.points()[i - 1].time_ns < series.points()[i].time_ns);
}
