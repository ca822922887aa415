#include "telemetry/process_memory.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>

#include "base/file.h"
#include "base/units.h"
#include "support/temp_folder.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

fs::path write(const testing::TempFolder& folder, const fs::path& name, const std::string& text) {
  testing::write_file(folder.path() / name, text);
  return folder.path() / name;
}

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
  const testing::TempFolder folder;
  const MappedFile file(write(folder, "weights", std::string(16 * kMiB, 'w')));
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
  const ProcessMemory sum = *read_processes(both), alone = *read_process();
  ::kill(child, SIGKILL);
  siginfo_t ended;
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  CHECK_FALSE(read_process(child).has_value());  // it has ended, and its entry in /proc is still there
  ::waitpid(child, nullptr, 0);
  CHECK(sum.rss_bytes() >= alone.rss_bytes() + 32 * kMiB);
  if (sum.pss_bytes) CHECK(*sum.pss_bytes < sum.rss_bytes() - 30 * kMiB);
  CHECK_FALSE(read_process(child).has_value());
  CHECK_FALSE(read_processes(std::span(&child, 1)).has_value());
  CHECK_FALSE(read_resident(std::span(&child, 1)).has_value());
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
