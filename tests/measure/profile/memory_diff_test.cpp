#include "measure/profile/memory_diff.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/error.h"

using namespace frugal;

namespace {

// A line as mem-profile writes it, with only the fields that are compared.
std::string stage_line(const std::string& stage, uint64_t peak_anon, uint64_t held_anon) {
  return fmt::format(
      R"({{"schema_version":1,"stage":"{}","action":"run","elapsed_ms":10,)"
      R"("memory_usage_after_model_run":{{"anon_bytes":{},"swap_bytes":0,"file_bytes":4096,"shared_bytes":0,"pss_bytes":null}},)"
      R"("memory_usage_peak":{{"anon_with_swap_bytes":{},"pss_bytes":null,"file_bytes":4096,"gpu_used_bytes":null}}}})"
      "\n",
      stage, held_anon, peak_anon);
}

bool passes(const std::string& before, const std::string& now, const char* gate) {
  return compare_memory(parse_memory_records(before, "before"), parse_memory_records(now, "now"), parse_gates(gate), 0)
      .passed();
}

constexpr uint64_t kBase = 100'000'000;

}  // namespace

TEST_CASE("a gate fails above its limit and not at it") {
  const std::string base = stage_line("run", kBase, kBase);
  CHECK(passes(base, base, "anon=0%"));
  CHECK(passes(base, stage_line("run", kBase + kBase / 20, kBase), "anon=5%"));
  CHECK_FALSE(passes(base, stage_line("run", kBase + kBase / 20 + 1, kBase), "anon=5%"));
  CHECK(passes(base, stage_line("run", kBase + 1024, kBase), "anon=1KiB"));
  CHECK_FALSE(passes(base, stage_line("run", kBase + 1025, kBase), "anon=1KiB"));
}

TEST_CASE("a family gates what is held as well as the peak") {
  const std::string base = stage_line("run", kBase, kBase / 2), leak = stage_line("run", kBase, kBase);
  CHECK_FALSE(passes(base, leak, "anon=5%"));
  CHECK_FALSE(passes(base, leak, "held_anon=5%"));
  CHECK(passes(base, leak, "peak_anon=5%"));
}

TEST_CASE("what shrinks never fails, nor does growth from nothing go unseen") {
  CHECK(passes(stage_line("run", kBase, kBase), stage_line("run", kBase / 2, 0), "anon=0%"));
  CHECK_FALSE(passes(stage_line("run", kBase, 0), stage_line("run", kBase, 4096), "held_anon=500%"));
}

TEST_CASE("growth up to the ignored bytes passes") {
  const auto before = parse_memory_records(stage_line("run", 1000, 1000), "before");
  const auto now = parse_memory_records(stage_line("run", 2000, 1000), "now");
  CHECK(compare_memory(before, now, parse_gates("anon=5%"), 1000).passed());
  CHECK_FALSE(compare_memory(before, now, parse_gates("anon=5%"), 999).passed());
}

TEST_CASE("a stage that only one profile has fails under a gate, and is shown without one") {
  const std::string one = stage_line("run a", kBase, kBase), two = one + stage_line("run b", kBase, kBase);
  CHECK_FALSE(passes(one, two, "anon=5%"));
  CHECK_FALSE(passes(two, one, "anon=5%"));
  const MemoryDiff diff = compare_memory(parse_memory_records(two, "2"), parse_memory_records(one, "1"), {}, 0);
  CHECK(diff.passed());
  REQUIRE(diff.stages.size() == 2);
  CHECK(diff.stages[1].stage == "run b");
  CHECK_FALSE(diff.stages[1].in_now);
}

TEST_CASE("stages of one name are matched in their order") {
  const auto records = parse_memory_records(stage_line("run", 1, 1) + stage_line("run", 2, 2), "file");
  REQUIRE(records.size() == 2);
  CHECK(records[1].stage == "run #2");
  CHECK(records[1].value(MemoryMetric::peak_anon) == 2);
}

TEST_CASE("a gate on what no stage has in both is an error, not a pass") {
  const std::string base = stage_line("run", kBase, kBase);
  CHECK_THROWS_AS(passes(base, base, "pss=5%"), Error);
  CHECK_THROWS_AS(passes(base, base, "gpu=5%"), Error);
}

TEST_CASE("lines that mem-profile did not write are refused with their place") {
  const auto message = [](const std::string& lines) {
    try {
      parse_memory_records(lines, "x.jsonl");
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("accepted");
  };
  CHECK(message("").find("x.jsonl: no stages") == 0);
  CHECK(message("[1]\n").find("x.jsonl:1: ") == 0);
  CHECK(message(stage_line("run", 1, 1) + "{\"stage\":").find("x.jsonl:2: not JSON") == 0);
  CHECK(message("{\"schema_version\":1,\"stage\":\"x\"}").find("x.jsonl:1: not a stage") == 0);
  CHECK(message("{\"schema_version\":2}").find("x.jsonl:1: schema_version is 2") == 0);
}
