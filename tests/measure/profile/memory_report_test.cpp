#include "measure/profile/memory_report.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "measure/profile/memory_record.h"
#include "measure/report/json.h"

using namespace frugal;

TEST_CASE("the figures of a command that ended before it was read are unknown, not 0, and the record can be compared") {
  SampledPeak peak;
  peak.least_available_bytes = 1000;
  const auto json = command_json({"true"}, 0, 1'000'000, peak);
  for (const char* figure : {"anon_bytes", "anon_with_swap_bytes", "file_bytes", "pss_bytes", "major_faults"})
    CHECK(json["memory_usage_peak"][figure].is_null());
  CHECK(json["memory_usage_peak"]["least_available_bytes"] == 1000);
  CHECK(json["sampler"]["samples"] == 0);
  CHECK(json["sampler"]["mean_interval_ms"].is_null());
  CHECK(command_text(1'000'000, peak).find(" 0 B") == std::string::npos);

  const auto record = parse_memory_records(json_line(json), "this command").front();
  CHECK_FALSE(record.value(MemoryMetric::peak_anon));
  CHECK(record.value(MemoryMetric::elapsed));

  peak.samples = 1;
  CHECK(command_json({"true"}, 0, 1'000'000, peak)["memory_usage_peak"]["anon_bytes"] == 0);
  CHECK(command_text(1'000'000, peak).find(" 0 B") != std::string::npos);
}
