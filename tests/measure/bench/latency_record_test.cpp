#include "measure/bench/latency_record.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using doctest::Approx;
using frugal::testing::message_of;
using frugal::testing::TempFolder;

namespace {

// A report as bench-latency writes it, without what is not read back.
std::string report(const std::string& times = "0.010, 0.020, 0.030", const std::string& places = "0, 1, 0",
                   const std::string& schema = "2", const std::string& mode = "cold") {
  return fmt::format(
      R"({{"schema_version": {}, "flags": ["--no-cache"], "questions": {{"count": 2, "sha256": "q"}},
  "environment": {{"cpu": "X", "isa": "avx2", "cpus": 2, "others_percent": 12.5, "models": [{{"file": "m.pack", "sha256": "s", "bytes": 3}}]}},
  "machine": {{"mode": "cold", "aa_ratio": 1.01, "aa_low": 0.99, "aa_high": 1.03, "runs": 12, "verdict": "quiet"}},
  "results": [
    {{"mode": "{}", "side": "measured", "times": [{}], "questions": [{}], "peak_anon_bytes": 7, "answers_sha256": "a",
      "failure": null}},
    {{"mode": "warm", "side": "measured", "times": [], "questions": [], "peak_anon_bytes": null, "answers_sha256": null,
      "failure": {{"message": "no", "hint": null, "after_runs": 0}}}},
    {{"mode": "cold", "side": "itself", "times": [1], "questions": [0]}}]}})",
      schema, mode, times, places);
}

LatencyRecord read(const std::string& text) {
  const TempFolder folder;
  testing::write_file(folder.path() / "r.json", text);
  return read_latency_record(folder.path() / "r.json");
}

}  // namespace

TEST_CASE("a report is read back: environment, questions, raw samples, failures, the machine") {
  const LatencyRecord record = read(report());
  CHECK(record.environment.cpu == "X");
  CHECK(record.environment.cpus == 2);
  CHECK(record.environment.models.at(0).sha256 == "s");
  CHECK(record.flags == std::vector<std::string>{"--no-cache"});
  CHECK(record.questions == 2);
  REQUIRE(record.series.size() == 2);  // not the A/A runs
  CHECK(record.series[0].wall_ms[1] == Approx(20));
  CHECK(record.series[0].questions == std::vector<int64_t>{0, 1, 0});
  CHECK(record.series[0].peak_anon_bytes == 7u);
  CHECK(record.series[1].failure == "no");
  REQUIRE(record.machine.has_value());
  CHECK(record.machine->itself.ratio.value == Approx(1.01));
  CHECK(record.machine->verdict() == "busy");
}

TEST_CASE("a report that is cut off, someone else's, older or lies is refused by the name of the field") {
  const auto message = [](const std::string& text) { return message_of([&] { read(text); }); };
  CHECK(message(report().substr(0, 200)).find("is not JSON") != std::string::npos);
  CHECK(message("").find("is not JSON") != std::string::npos);
  CHECK(message("[1]").find("schema_version") != std::string::npos);
  CHECK(message(R"({"results": [{"command": "x", "times": [1]}]})").find("schema_version") != std::string::npos);
  CHECK(message(report("1", "0", "1")).find("schema_version is 1, this build reads 2") != std::string::npos);
  CHECK(message(report("0.1", "0", "2", "tepid")).find("results[0].mode") != std::string::npos);
  for (const char* times : {"0", "-1", "\"x\"", "null"})
    CHECK(message(report(times, "0")).find("results[0].times") != std::string::npos);
  for (const char* places : {"2", "-1", "0, 1", ""})
    CHECK(message(report("0.1", places)).find("results[0].questions") != std::string::npos);
}

TEST_CASE("two reports are compared only where machine, models, questions and flags are the same") {
  const LatencyRecord record = read(report());
  const auto difference = [&](auto change, const Tolerance& tolerance = {}) {
    LatencyRecord other = record;
    change(other);
    return message_of([&] { check_comparable(record, "this run", other, "old.json", tolerance); });
  };
  const auto other_cpu = [](LatencyRecord& r) { r.environment.cpu = "Y"; };
  CHECK(difference([](LatencyRecord&) {}) == "no error");
  CHECK(difference(other_cpu) == "this run and old.json differ in the processor: 'X' and 'Y'");
  CHECK(difference(other_cpu, {true, false}) == "no error");
  CHECK(difference([](LatencyRecord& r) { r.environment.isa = "neon"; }).find("instruction set") != std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.environment.cpus = 4; }).find("number of processors") != std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.environment.models[0].sha256 = "t"; }, {true, false}).find("the models") !=
        std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.questions_sha256 = "p"; }).find("questions (sha256)") != std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.questions = 9; }).find("number of questions") != std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.flags = {}; }).find("flags") != std::string::npos);
  CHECK(difference([](LatencyRecord& r) { r.flags = {}; }, {false, true}) == "no error");
}

TEST_CASE("a baseline with too few runs is refused with the number that is needed") {
  const LatencyRecord record = read(report());
  CHECK(message_of([&] { check_gate_runs(record, "old.json"); }) ==
        "old.json has 3 runs of cold, a gate needs at least 10");
}
