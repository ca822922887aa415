#include "measure/profile/memory_alert.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "base/units.h"

using namespace frugal;

namespace {

StageRecordLine stage(double peak_anon) {
  StageRecordLine record;
  record.stage = "run a";
  record.values[static_cast<size_t>(MemoryMetric::peak_anon)] = peak_anon;
  return record;
}

size_t raised(const char* rule, double peak_anon, uint64_t available = kGiB, double pressure = 0) {
  return check_alerts(parse_alert(rule), stage(peak_anon), {available, pressure, {}, {}}).size();
}

}  // namespace

TEST_CASE("a limit is passed above it and not at it") {
  CHECK(raised("peak_anon=1KiB", 1024) == 0);
  CHECK(raised("peak_anon=1KiB", 1025) == 1);
}

TEST_CASE("available memory is held to no less, pressure to no more") {
  CHECK(raised("available=1GiB", 0, kGiB) == 0);
  CHECK(raised("available=1GiB", 0, kGiB - 1) == 1);
  CHECK(raised("pressure=10", 0, kGiB, 10) == 0);
  CHECK(raised("pressure=10", 0, kGiB, 10.5) == 1);
}

TEST_CASE("an unknown figure is answered by all that there are, or by the nearest") {
  const auto hint_of = [](const char* rule) {
    try {
      parse_alert(rule);
    } catch (const Error& error) {
      return error.hint();
    }
    return std::string("no error");
  };
  for (const char* figure : {"anon", "elapsed", "peak_", "available", "pressure", "hit_rate", "fragmentation"})
    CHECK(hint_of("xyzzy=1").find(figure) != std::string::npos);
  CHECK(hint_of("presure=1") == "did you mean 'pressure'?");
  CHECK(hint_of("peak_anom=1") == "did you mean 'peak_anon'?");
}

TEST_CASE("what is not known raises nothing") {
  CHECK(raised("held_anon=1", 1e9) == 0);
  CHECK(raised("gpu=1", 1e9) == 0);
  for (const char* rule : {"pressure=0", "hit_rate=100", "fragmentation=0"})
    CHECK(check_alerts(parse_alert(rule), stage(0), {}).empty());
}

TEST_CASE("hit rates are held to no less, the worst pool's fragmentation to no more") {
  MetricSink sink;
  sink.ratio("frugal_pager_hit_ratio", "", 80, 100);
  sink.ratio("frugal_pool_fragmentation", "", 1, 10, {{"tag", "io"}});
  sink.ratio("frugal_pool_fragmentation", "", 3, 10, {{"tag", "kv_cache"}});
  const AlertFigures figures = alert_figures(0, std::nullopt, sink.metrics());
  const auto count = [&](const char* rule) { return check_alerts(parse_alert(rule), stage(0), figures).size(); };
  CHECK(count("hit_rate=80") == 0);
  CHECK(count("hit_rate=81") == 1);
  CHECK(count("fragmentation=30") == 0);
  CHECK(count("fragmentation=29") == 1);
  CHECK(alert_text(check_alerts(parse_alert("hit_rate=90"), stage(0), figures).at(0)) ==
        "alert: run a: hit_rate is 80%, below 90%");
}

TEST_CASE("a family is a rule for each of its figures") {
  CHECK(parse_alert("anon=1MiB").size() == 2);
  CHECK(raised("anon=1KiB", 4096) == 1);
}

TEST_CASE("limits that say nothing are refused") {
  for (const char* text :
       {"", "anon", "anon=", "anon=5%", "anom=5", "pressure=much", "hit_rate=high", "available=-1", "=3"})
    CHECK_THROWS_AS(parse_alert(text), Error);
}

TEST_CASE("an alert names stage, figure, value and limit") {
  const auto alerts = check_alerts(parse_alert("peak_anon=1MiB"), stage(2.0 * kMiB), {});
  REQUIRE(alerts.size() == 1);
  CHECK(alert_text(alerts[0]) == "alert: run a: peak_anon is 2.0 MiB, above 1.0 MiB");
}
