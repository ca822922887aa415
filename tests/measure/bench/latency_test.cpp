#include "measure/bench/latency.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "telemetry/command.h"

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
    R"({"answer":{"text":"A"},"citations":[{"id":7}],"hits":[{"id":1},{"id":"x"}],"memory":{"peak_anon_bytes":1000,"pss_bytes":null},)"
    R"("timings_ms":{"total":9,"startup":1,"retrieve":2.5,"hyde":null,"other":5.5}})";

// Answers with the question itself, abstaining.
const std::string kEcho = std::string("reply() { printf '%s\\n' '") + kReply +
                          "' | sed \"s/\\\"A\\\"/\\\"$1\\\"/\"; }\n"
                          "case \"$*\" in *--batch*) while read -r q; do reply \"$q\"; done;; "
                          "*) reply \"${@: -1}\"; exit 1;; esac\n";
// Leaves a letter for each start: n for naive, else c.
const std::string kLogSelf = "case \"$*\" in *--naive*) printf n;; *) printf c;; esac >> \"$0.log\"\n";

LatencyOptions options_for(const FakeTool& tool) {
  LatencyOptions options;
  options.command = {tool.path(), "--index", "i"};
  options.questions = {"one", "two"};
  options.modes = {LatencyMode::cold, LatencyMode::warm};
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

TEST_CASE("a reply whose stages overlap is refused: what is counted twice is no share of the wall") {
  const auto reply = [](const std::string& times) { return R"({"answer":{"text":"A"},"timings_ms":)" + times + "}"; };
  CHECK(parse_reply(reply(R"({"total":9,"embed":4,"retrieve":5,"other":0})"), 20).stages_ms.at("other") == Approx(11));
  CHECK_THROWS_WITH_AS(parse_reply(reply(R"({"total":9,"embed":4,"retrieve":9,"other":0})"), 20),
                       "the reply's stages add up to 13.000 ms, more than its total of 9.000 ms", Error);
}

TEST_CASE("an answer is its text and citations, or the hits of a run without a text") {
  const auto answer_of = [](const std::string& answer) {
    return parse_reply(
               R"({"answer":)" + answer + R"(,"citations":[{"id":7}],"hits":[{"id":1},{"id":2}],"timings_ms":{}})", 1)
        .answer;
  };
  CHECK(answer_of(R"({"text":"A","abstained":false})") == "A\n7");
  CHECK(answer_of(R"({"text":null,"abstained":true})") == "abstained");
  CHECK(answer_of(R"({"text":null,"abstained":false})") == "\n1\n2");
}

TEST_CASE("a reply that is not JSON, has no timings or reports an error is refused") {
  CHECK_THROWS_AS(parse_reply("", 1), Error);
  CHECK_THROWS_AS(parse_reply("[]", 1), Error);
  CHECK_THROWS_AS(parse_reply("{}", 1), Error);
  CHECK_THROWS_WITH_AS(parse_reply(R"({"error":{"message":"no index"}})", 1), "the question failed: no index", Error);
}

TEST_CASE("each mode is asked the same questions, after runs that do not count") {
  const FakeTool tool(kEcho);
  LatencyOptions options = options_for(tool);
  options.measure_aa = false;
  options.warmup_runs = 3;
  std::vector<int64_t> steps;
  options.progress = [&](int64_t done, int64_t total) {
    steps.push_back(done);
    CHECK(total == 8);
  };
  LatencyBench bench(options);
  bench.run(4);
  const std::vector<LatencyRow>& rows = bench.rows();
  REQUIRE(rows.size() == 2);
  for (const LatencyRow& row : rows) {
    CHECK(row.samples.size() == 4);
    CHECK(row.samples[0].answer == "one\n7");
    CHECK(row.samples[1].answer == "two\n7");
    CHECK(row.samples[2].question == 0);
    CHECK_FALSE(row.failure.has_value());
  }
  CHECK(answers_sha256(rows[0]) == answers_sha256(rows[1]));
  CHECK(summarize(rows[0]).peak_anon_bytes == 1000u);
  CHECK(rows[0].samples[0].exit_code == 1);  // abstained: an answer like any other
  CHECK(steps.size() == 8);
}

TEST_CASE("rounds mix the rows in an order that the seed fixes, and each row has one run in each") {
  const auto order_with = [](uint64_t seed) {
    const FakeTool tool(kLogSelf + kEcho);
    LatencyOptions options = options_for(tool);
    options.modes = {LatencyMode::cold, LatencyMode::naive};
    options.seed = seed;
    options.warmup_runs = 0;
    LatencyBench bench(options);
    bench.run(12);
    REQUIRE(bench.rows().size() == 3);  // and cold against itself
    CHECK(bench.rows()[2].side == Side::itself);
    return read_file(tool.path() + ".log");
  };
  const std::string order = order_with(1);
  CHECK(order == order_with(1));
  CHECK(order != order_with(2));
  REQUIRE(order.size() == 3 * 12);
  bool moved = false;
  for (size_t round = 0; round < order.size(); round += 3) {
    const std::string three = order.substr(round, 3);
    CHECK(std::count(three.begin(), three.end(), 'n') == 1);
    moved |= three != order.substr(0, 3);
  }
  CHECK(moved);
}

TEST_CASE("what failed is named with the tool's own words, and the other modes go on") {
  const FakeTool tool(std::string("case \"$*\" in *--naive*) echo 'error: no libtorch' >&2;"
                                  " echo 'hint: install it' >&2; exit 3;; esac\n") +
                      kEcho);
  LatencyOptions options = options_for(tool);
  options.modes = {LatencyMode::naive, LatencyMode::cold};
  LatencyBench bench(options);
  bench.run(2);
  const std::vector<LatencyRow>& rows = bench.rows();
  REQUIRE(rows[0].failure.has_value());
  CHECK(rows[0].failure->message == fmt::format("'{}' failed with exit code 3: no libtorch", tool.path()));
  CHECK(rows[0].failure->hint == "install it");
  CHECK(rows[0].failure->after_runs == 0);
  CHECK(rows[1].samples.size() == 2);
  CHECK(rows[2].mode == LatencyMode::cold);  // the first that works is measured against itself
}

TEST_CASE("a mode that crashes midway keeps the runs it has and says how many") {
  const FakeTool tool(kLogSelf + "[ $(wc -c < \"$0.log\") -gt 3 ] && kill -SEGV $$\n" + kEcho);
  LatencyOptions options = options_for(tool);
  options.modes = {LatencyMode::cold};
  options.measure_aa = false;
  LatencyBench bench(options);
  bench.run(6);
  CHECK(bench.rows()[0].samples.size() == 2);  // and one that warmed up
  REQUIRE(bench.rows()[0].failure.has_value());
  CHECK(bench.rows()[0].failure->after_runs == 2);
  CHECK(bench.rows()[0].failure->message.find("exit code 139") != std::string::npos);
}

TEST_CASE("an answer that does not come in time ends the mode, in a fresh process and in a running one") {
  const FakeTool tool("exec sleep 60\n");
  LatencyOptions options = options_for(tool);
  options.timeout = std::chrono::milliseconds(50);
  LatencyBench bench(options);
  CHECK_THROWS_WITH_AS(bench.run(1), fmt::format("'{}' did not end within 50 ms", tool.path()).c_str(), Error);
  CHECK(bench.rows()[1].failure->message == fmt::format("'{}' did not answer within 50 ms", tool.path()));
}

TEST_CASE("the mode server asks through a rag-serve of its own, which must have answered") {
  // The flags of rag-query end with the question; the server's socket is what the flag --server names.
  const FakeTool tool("echo \"$*\" >> \"$0.log\"; echo \"$FRUGAL_SERVER\" >> \"$0.log\"; " + kEcho);
  const fs::path serve = fs::path(tool.path()).parent_path() / "rag-serve";
  std::ofstream(serve) << "#!/bin/bash\n"
                          "while [ $# -gt 0 ]; do [ \"$1\" = --socket ] && touch \"$2\"; shift; done\n"
                          "exec sleep 1000\n";
  fs::permissions(serve, fs::perms::owner_all);
  LatencyOptions options = options_for(tool);
  options.modes = {LatencyMode::server};
  LatencyBench bench(options);
  bench.run(1);
  CHECK(bench.rows()[0].samples.size() == 1);
  const std::string log = read_file(tool.path() + ".log");
  CHECK(log.find("--server unix:/") != std::string::npos);
  CHECK(log.find("\nnever\n") != std::string::npos);

  const FakeTool alone("echo 'warning: the server has other settings: this process answers' >&2; " + kEcho);
  std::ofstream(serve) << "#!/bin/bash\n"
                          "while [ $# -gt 0 ]; do [ \"$1\" = --socket ] && touch \"$2\"; shift; done\n"
                          "exec sleep 1000\n";
  fs::permissions(serve, fs::perms::owner_all);
  CHECK_THROWS_AS(LatencyBench(options).run(1), Error);
  std::ofstream(serve) << "#!/bin/bash\necho 'error: no index' >&2; exit 3\n";
  CHECK_THROWS_WITH_AS(LatencyBench(options).run(1),
                       fmt::format("'{}' did not start: no index", serve.native()).c_str(), Error);
}

TEST_CASE("where no mode works the first failure is thrown") {
  const FakeTool failing("exit 3\n");
  LatencyOptions options = options_for(failing);
  CHECK_THROWS_AS(LatencyBench(options).run(1), Error);
  options.modes = {LatencyMode::warm};
  CHECK_THROWS_AS(LatencyBench(options).run(1), Error);
  options.command = {"/no/such/tool"};
  CHECK_THROWS_AS(LatencyBench(options).run(1), Error);
}

TEST_CASE("one question with two answers has no checksum") {
  LatencyRow row;
  row.samples.resize(3);
  row.samples[0].answer = row.samples[2].answer = "A";
  row.samples[1].question = 1;
  row.samples[1].answer = "B";
  CHECK(answers_sha256(row).size() == 64);
  row.samples[2].answer = "C";
  CHECK(answers_sha256(row).empty());
}

TEST_CASE("the stages of a row add up to a wall near its median, whatever the outliers") {
  LatencyRow row;
  for (int i = 0; i < 8; ++i) {
    LatencySample sample;
    sample.wall_ms = i == 7 ? 5000 : 10 + i;
    sample.stages_ms = {{"embed", 4}, {"other", sample.wall_ms - 4}};
    row.samples.push_back(sample);
  }
  const LatencySummary summary = summarize(row);
  CHECK(summary.stages_wall_ms == Approx((12 + 13 + 14 + 15) / 4.0));
  CHECK(summary.stages_ms.at("embed") + summary.stages_ms.at("other") == Approx(summary.stages_wall_ms));
}

TEST_CASE("modes are known by name") {
  CHECK(parse_latency_mode("cold-disk") == LatencyMode::cold_disk);
  CHECK(parse_latency_mode("naive") == LatencyMode::naive);
  CHECK_THROWS_WITH_AS(parse_latency_mode("tepid"), "unknown mode 'tepid'", Error);
}

TEST_CASE("a tool's complaint is its last error with the hint after it, else its last line") {
  const Complaint complaint = read_complaint("warning: x\nerror: first\nhint: old\nerror: second\nhint: do this\n\n");
  CHECK(complaint.message == "second");
  CHECK(complaint.hint == "do this");
  CHECK(read_complaint("Segmentation fault\n \n").message == "Segmentation fault");
  CHECK(read_complaint("").message.empty());
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
