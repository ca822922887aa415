#include "telemetry/system_memory.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/units.h"
#include "support/temp_folder.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

fs::path write(const testing::TempFolder& folder, const fs::path& name, const std::string& text) {
  testing::write_file(folder.path() / name, text);
  return folder.path() / name;
}

}  // namespace

TEST_CASE("the tightest ancestor limits what is available: cgroup v2") {
  const testing::TempFolder fake;
  write(fake, "proc/meminfo", "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   6000 kB\n");
  write(fake, "proc/self/cgroup", "0::/outer/inner\n");
  write(fake, "proc/pressure/memory",
        "some avg10=1.50 avg60=0 avg300=0 total=9\nfull avg10=0.25 avg60=0 avg300=0 total=3\n");
  write(fake, "cg/outer/memory.max", "4096000\n");
  write(fake, "cg/outer/memory.current", "3096000\n");
  write(fake, "cg/outer/memory.stat",
        "anon 5\nfile 9\ninactive_file 100000\nactive_file 50000\nslab_reclaimable 1000\n");
  write(fake, "cg/outer/inner/memory.max", "max\n");
  write(fake, "cg/outer/inner/memory.current", "1000\n");
  const SystemMemory memory = read_system_memory(fake.path() / "proc", fake.path() / "cg");
  CHECK(memory.total_bytes == 8000 * kKiB);
  CHECK(memory.mem_available_bytes == 6000 * kKiB);
  REQUIRE(memory.cgroup.has_value());
  CHECK(memory.cgroup->path == fake.path() / "cg/outer");
  CHECK(memory.cgroup->reclaimable_bytes == 151000);
  CHECK(memory.available_bytes() == 4096000 - 3096000 + 151000);
  REQUIRE(memory.pressure.has_value());
  CHECK(memory.pressure->some_avg10 == 1.5);
  CHECK(memory.pressure->full_avg10 == 0.25);
}

TEST_CASE("the tightest ancestor limits what is available: cgroup v1, and a path that only the host sees") {
  const testing::TempFolder fake;
  write(fake, "proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 6000 kB\n");
  write(fake, "proc/self/cgroup", "5:cpu,memory:/docker/abc\n3:cpuset:/\n0::/\n");
  write(fake, "cg/memory/memory.limit_in_bytes", "1000000\n");
  write(fake, "cg/memory/memory.usage_in_bytes", "2000000\n");
  write(fake, "cg/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 300000\ntotal_active_file 0\n");
  CHECK(read_system_memory(fake.path() / "proc", fake.path() / "cg").available_bytes() == 0);
  write(fake, "cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const SystemMemory unlimited = read_system_memory(fake.path() / "proc", fake.path() / "cg");
  CHECK_FALSE(unlimited.cgroup.has_value());
  CHECK(unlimited.available_bytes() == 6000 * kKiB);
  CHECK_FALSE(unlimited.pressure.has_value());
}

TEST_CASE("this machine has memory left, and no more than it has in all") {
  const SystemMemory memory = read_system_memory();
  CHECK(memory.total_bytes > 0);
  CHECK(memory.available_bytes() > 0);
  CHECK(memory.available_bytes() <= memory.total_bytes);
}
