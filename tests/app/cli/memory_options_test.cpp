#include "app/cli/memory_options.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

#include "app/config/load.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"

using namespace frugal;

namespace {

SystemMemory machine(uint64_t total, uint64_t available) {
  SystemMemory system;
  system.total_bytes = total;
  system.mem_available_bytes = available;
  return system;
}

BudgetLimits limits_of(const std::string& budget, const SystemMemory& system) {
  cli::MemorySettings memory;
  memory.budget = budget;
  return cli::budget_limits(memory, system);
}

}  // namespace

TEST_CASE("auto leaves a tenth of the available memory to other processes") {
  CHECK(limits_of("auto", machine(8 * kGiB, 5 * kGiB)).total_bytes == 5 * kGiB / 10 * 9);
  SystemMemory system = machine(8 * kGiB, 5 * kGiB);
  system.cgroup = CgroupMemory{"/x", 256 * kMiB, 100 * kMiB, 20 * kMiB};
  CHECK(limits_of("auto", system).total_bytes == 176 * kMiB / 10 * 9);
}

TEST_CASE("auto on a machine without available memory is a limit of 1 byte, not no limit") {
  CHECK(limits_of("auto", machine(8 * kGiB, 0)).total_bytes == 1);
}

TEST_CASE("none means no limit, and a size is the limit in bytes") {
  CHECK(limits_of("none", machine(8 * kGiB, kGiB)).total_bytes == 0);
  CHECK(limits_of("64MiB", machine(8 * kGiB, kGiB)).total_bytes == 64 * kMiB);
  CHECK(limits_of("1KiB", machine(8 * kGiB, kGiB)).total_bytes == kKiB);
}

TEST_CASE("a budget above the machine's memory is lowered to it, with a warning") {
  std::string said;
  set_log_sink([&](LogLevel, std::string_view line) { said += line; }, LogLevel::warn);
  CHECK(limits_of("100GiB", machine(8 * kGiB, kGiB)).total_bytes == 8 * kGiB);
  set_log_sink({}, LogLevel::error);
  CHECK(said.find("more than this machine has") != std::string::npos);
}

TEST_CASE("a budget of 0 is an error whose hint names `none`") {
  try {
    cli::parse_budget("0");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == Code::usage);
    CHECK(error.hint().find("`none`") != std::string::npos);
  }
}

TEST_CASE("limits by kind of memory are copied") {
  cli::MemorySettings memory;
  memory.limits[static_cast<size_t>(MemoryTag::kv_cache)] = 7;
  memory.limits[static_cast<size_t>(MemoryTag::io)] = 9;
  const BudgetLimits limits = cli::budget_limits(memory, machine(8 * kGiB, kGiB));
  CHECK(limits.by_tag[static_cast<size_t>(MemoryTag::kv_cache)] == 7);
  CHECK(limits.by_tag[static_cast<size_t>(MemoryTag::io)] == 9);
  CHECK(limits.by_tag[static_cast<size_t>(MemoryTag::weights)] == 0);
}

TEST_CASE("each key memory.limits.* sets the limit of the kind in its name") {
  cli::MemorySettings memory;
  const SettingList list(memory);
  for (size_t i = 0; i < kMemoryTags; ++i)
    set_key(list, fmt::format("memory.limits.{}", to_string(static_cast<MemoryTag>(i))), std::to_string(101 + i),
            "test");
  const BudgetLimits limits = cli::budget_limits(memory, machine(8 * kGiB, kGiB));
  for (size_t i = 0; i < kMemoryTags; ++i) CHECK(limits.by_tag[i] == 101 + i);
}
