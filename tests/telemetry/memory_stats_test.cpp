#include "telemetry/memory_stats.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

class TempFolder {
 public:
  TempFolder() : path_(fs::temp_directory_path() / fmt::format("frugal-stats-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  ~TempFolder() { fs::remove_all(path_); }
  fs::path write(const fs::path& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Fresh anonymous pages, touched; given back when destroyed.
class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_(bytes) {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(data_, 1, bytes);
  }
  ~Pages() { ::munmap(data_, bytes_); }

 private:
  void* data_;
  size_t bytes_;
};

constexpr uint64_t kSlack = 4 * kMiB;  // what the test runner itself may take meanwhile

}  // namespace

TEST_CASE("touched anonymous pages are anonymous and unique, and leave with munmap") {
  const ProcessMemory before = *read_process();
  {
    const Pages pages(32 * kMiB);
    const ProcessMemory during = *read_process();
    CHECK(during.resident.anon_bytes >= before.resident.anon_bytes + 32 * kMiB);
    CHECK(during.resident.anon_bytes <= before.resident.anon_bytes + 32 * kMiB + kSlack);
    // A library's page is no longer ours alone once another process maps it, too.
    if (during.uss_bytes) CHECK(*during.uss_bytes + kSlack >= *before.uss_bytes + 32 * kMiB);
    CHECK(during.resident.minor_faults > before.resident.minor_faults);
  }
  CHECK(read_process()->resident.anon_bytes <= before.resident.anon_bytes + kSlack);
}

TEST_CASE("pages of a mapped file count as file-backed, not as anonymous") {
  const TempFolder folder;
  const MappedFile file(folder.write("weights", std::string(16 * kMiB, 'w')));
  const ProcessMemory before = *read_process();
  unsigned sum = 0;
  for (std::byte b : file.bytes()) sum += static_cast<unsigned>(b);
  CHECK(sum > 0);
  const ProcessMemory after = *read_process();
  CHECK(after.resident.file_bytes >= before.resident.file_bytes + 15 * kMiB);
  CHECK(after.resident.anon_bytes <= before.resident.anon_bytes + kSlack);
}

TEST_CASE("a page shared with a child is split between the two in PSS and counted twice in RSS") {
  const Pages pages(32 * kMiB);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto tree = descendants(::getpid());
  CHECK(std::find(tree.begin(), tree.end(), child) != tree.end());
  const int both[] = {::getpid(), child};
  const ProcessMemory sum = read_processes(both), alone = *read_process();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(sum.rss_bytes() >= alone.rss_bytes() + 32 * kMiB);
  if (sum.pss_bytes) CHECK(*sum.pss_bytes < sum.rss_bytes() - 30 * kMiB);
  CHECK_FALSE(read_process(child).has_value());
  CHECK(read_processes(std::span(&child, 1)).rss_bytes() == 0);
}

TEST_CASE("a sampler sees a peak that is over before anyone looks, and says its interval") {
  MemorySampler sampler;
  const uint64_t before = read_memory().anon_bytes;
  {
    const Pages pages(48 * kMiB);
    const int64_t samples = sampler.peak().samples;
    while (sampler.peak().samples < samples + 3) ::usleep(1000);
  }
  const SampledPeak peak = sampler.peak();
  CHECK(peak.anon_with_swap_bytes >= before + 48 * kMiB);
  CHECK(read_memory().anon_bytes < before + 48 * kMiB);
  CHECK(peak.samples > 3);
  CHECK(peak.mean_interval_ms > 0);
  CHECK(peak.longest_gap_ms >= peak.mean_interval_ms);
  CHECK(peak.least_available_bytes > 0);
}

TEST_CASE("the high-water mark can be set back, so that each stage has its own") {
  {
    const Pages pages(64 * kMiB);
    CHECK(high_water_mark_bytes() >= 64 * kMiB);
  }
  const uint64_t before = high_water_mark_bytes();
  if (!reset_high_water_mark()) {
    MESSAGE("SKIP: the kernel does not let us reset VmHWM");
    return;
  }
  CHECK(high_water_mark_bytes() <= before - 60 * kMiB);
}

TEST_CASE("the tightest ancestor limits what is available: cgroup v2") {
  const TempFolder fake;
  fake.write("proc/meminfo", "MemTotal:       8000 kB\nMemFree:         100 kB\nMemAvailable:   6000 kB\n");
  fake.write("proc/self/cgroup", "0::/outer/inner\n");
  fake.write("proc/pressure/memory",
             "some avg10=1.50 avg60=0 avg300=0 total=9\nfull avg10=0.25 avg60=0 avg300=0 total=3\n");
  fake.write("cg/outer/memory.max", "4096000\n");
  fake.write("cg/outer/memory.current", "3096000\n");
  fake.write("cg/outer/memory.stat",
             "anon 5\nfile 9\ninactive_file 100000\nactive_file 50000\nslab_reclaimable 1000\n");
  fake.write("cg/outer/inner/memory.max", "max\n");
  fake.write("cg/outer/inner/memory.current", "1000\n");
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
  const TempFolder fake;
  fake.write("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 6000 kB\n");
  fake.write("proc/self/cgroup", "5:cpu,memory:/docker/abc\n3:cpuset:/\n0::/\n");
  fake.write("cg/memory/memory.limit_in_bytes", "1000000\n");
  fake.write("cg/memory/memory.usage_in_bytes", "2000000\n");
  fake.write("cg/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 300000\ntotal_active_file 0\n");
  CHECK(read_system_memory(fake.path() / "proc", fake.path() / "cg").available_bytes() == 0);
  fake.write("cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
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

TEST_CASE("residency is the page cache's, whole after reading and gone after dropping") {
  const TempFolder folder;
  const fs::path file = folder.write("data", std::string(8 * kMiB, 'x'));
  CHECK(read_file(file).size() == 8 * kMiB);
  const std::optional<Residency> read = page_cache_residency(file);
  REQUIRE(read.has_value());
  CHECK(read->file_bytes == 8 * kMiB);
  CHECK(read->resident_bytes == 8 * kMiB);
  drop_from_page_cache(file);
  const std::optional<Residency> dropped = page_cache_residency(file);
  // A file system in memory (tmpfs) has nothing below it to drop to.
  if (dropped->resident_bytes == 8 * kMiB)
    MESSAGE("SKIP: the temporary folder lives in memory");
  else
    CHECK(dropped->resident_bytes < 8 * kMiB / 100);
}

TEST_CASE("residency of an empty file is nothing, of a missing one an error that names it") {
  const TempFolder folder;
  CHECK(page_cache_residency(folder.write("empty", ""))->file_bytes == 0);
  CHECK_THROWS_AS(page_cache_residency(folder.path() / "nope"), Error);
  CHECK_THROWS_AS(drop_from_page_cache(folder.path() / "nope"), Error);
}
