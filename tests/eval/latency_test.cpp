#include "eval/latency.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/units.h"
#include "eval/command.h"

using namespace frugal;
namespace fs = std::filesystem;
using doctest::Approx;

namespace {

/// A shell script in the place of rag-query; gone with the test.
class FakeTool {
 public:
  explicit FakeTool(const std::string& body)
      : folder_(fs::temp_directory_path() / fmt::format("frugal-latency-{}", ::getpid())) {
    fs::create_directories(folder_);
    std::ofstream(path()) << "#!/bin/bash\n" << body;
    fs::permissions(path(), fs::perms::owner_all);
  }
  ~FakeTool() { fs::remove_all(folder_); }
  std::string path() const { return folder_ / "rag-query"; }

 private:
  fs::path folder_;
};

const char* const kReply =
    R"({"answer":{"text":"A"},"hits":[{"id":1},{"id":"x"}],"memory":{"peak_anon_bytes":1000,"pss_bytes":null},)"
    R"("timings_ms":{"total":9,"startup":1,"retrieve":2.5,"hyde":null,"other":5.5}})";

LatencyOptions options_for(const FakeTool& tool) {
  LatencyOptions options;
  options.command = {tool.path(), "--index", "i"};
  options.questions = {"one", "two"};
  options.modes = {LatencyMode::cold, LatencyMode::warm};
  options.runs = 4;
  return options;
}

}  // namespace

TEST_CASE("the stages of a run add up to its wall, with what is left named other") {
  const LatencySample sample = parse_reply(kReply, 20);
  CHECK(sample.stages_ms.at("retrieve") == 2.5);
  CHECK(sample.stages_ms.at("other") == Approx(16.5));
  CHECK(sample.stages_ms.count("hyde") == 0);
  CHECK(sample.stages_ms.count("total") == 0);
  double sum = 0;
  for (const auto& [name, ms] : sample.stages_ms) sum += ms;
  CHECK(sum == Approx(sample.wall_ms));
  CHECK(sample.peak_anon_bytes == 1000u);
  CHECK_FALSE(sample.pss_bytes.has_value());
}

TEST_CASE("a reply that is no JSON, has no timings or reports an error is refused") {
  CHECK_THROWS_AS(parse_reply("", 1), Error);
  CHECK_THROWS_AS(parse_reply("[]", 1), Error);
  CHECK_THROWS_AS(parse_reply("{}", 1), Error);
  CHECK_THROWS_WITH_AS(parse_reply(R"({"error":{"message":"no index"}})", 1), "the question failed: no index", Error);
}

TEST_CASE("each mode is asked the same questions in turn, after one run that does not count") {
  const FakeTool tool(
      std::string("reply() { printf '%s\\n' '") + kReply +
      "' | sed \"s/\\\"A\\\"/\\\"$1\\\"/\"; }\n"
      "case \"$*\" in *--batch*) while read -r q; do reply \"$q\"; done;; *) reply \"${@: -1}\"; exit 1;; esac\n");
  LatencyOptions options = options_for(tool);
  std::vector<int64_t> steps;
  options.progress = [&](int64_t done, int64_t total) {
    steps.push_back(done);
    CHECK(total == 8);
  };
  const std::vector<LatencyRow> rows = measure_latency(options);
  REQUIRE(rows.size() == 2);
  for (const LatencyRow& row : rows) {
    CHECK(row.samples.size() == 4);
    CHECK(row.wall_ms.min > 0);
    CHECK(row.peak_anon_bytes == 1000u);
    CHECK(row.samples[0].answer == "one\n1\n\"x\"");
    CHECK(row.samples[1].answer == "two\n1\n\"x\"");
  }
  CHECK(rows[0].answers_sha256 == rows[1].answers_sha256);
  CHECK(rows[0].samples[0].exit_code == 1);  // abstained: an answer like any other
  CHECK(steps.size() == 8);
}

TEST_CASE("a rag-query that fails, ends early or does not exist is an error that says so") {
  const FakeTool failing("exit 3\n");
  LatencyOptions options = options_for(failing);
  CHECK_THROWS_AS(measure_latency(options), Error);
  options.modes = {LatencyMode::warm};
  CHECK_THROWS_AS(measure_latency(options), Error);
  options.command = {"/no/such/tool"};
  CHECK_THROWS_AS(measure_latency(options), Error);
}

TEST_CASE("modes are known by name, and those to come are named as such") {
  CHECK(parse_latency_mode("cold-disk") == LatencyMode::cold_disk);
  CHECK_THROWS_WITH_AS(parse_latency_mode("naive"), "the mode 'naive' is not built yet", Error);
  CHECK_THROWS_WITH_AS(parse_latency_mode("tepid"), "unknown mode 'tepid'", Error);
}

TEST_CASE("a command's memory is summed with that of its children") {
  CommandOptions options;
  options.capture_output = true;
  options.sample_memory = true;
  // Each of the two children holds 16 MB in a shell variable while it sleeps.
  const std::string hold = "x=$(head -c 16000000 /dev/zero | tr '\\0' a); sleep 0.6";
  const CommandResult result =
      run_command({"bash", "-c", fmt::format("({}) & ({}) & wait; echo done; exit 7", hold, hold)}, options);
  CHECK(result.exit_code == 7);
  CHECK(result.output == "done\n");
  REQUIRE(result.peak.has_value());
  CHECK(result.peak->anon_with_swap_bytes > 32'000'000);
  CHECK(result.peak->anon_with_swap_bytes < 400 * kMiB);
  CHECK(result.peak->samples > 10);
}

TEST_CASE("a command that a signal ends has 128 and the signal's number as its exit code") {
  CHECK(run_command({"bash", "-c", "kill -9 $$"}).exit_code == 137);
  CHECK_THROWS_AS(run_command({"/no/such/command"}), Error);
}
