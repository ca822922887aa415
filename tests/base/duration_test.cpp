#include "base/duration.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace frugal;
using namespace std::chrono_literals;

TEST_CASE("a duration is a number of seconds, or numbers with units") {
  CHECK(parse_duration("300") == 300s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("2d") == 48h);
  CHECK(parse_duration("0") == 0ms);
  CHECK(parse_duration("-0") == 0ms);
}

TEST_CASE("any negative duration is without end") {
  CHECK(parse_duration("-1") == -1ms);
  CHECK(parse_duration("-90m") == -1ms);
}

TEST_CASE("durations that are none") {
  for (const char* text : {"", "-", "m", "5x", "5 m", "1h-", "nan", "5m3"}) CHECK_MESSAGE(!parse_duration(text), text);
  CHECK(parse_duration("1e999") == std::nullopt);
  CHECK(parse_duration("250ms") == std::chrono::milliseconds(250));
}
