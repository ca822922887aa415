// Memory that the machine and the control groups of this process have left, and how hard tasks compete for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace frugal {

/// A memory cgroup with a limit, v1 or v2.
struct CgroupMemory {
  std::filesystem::path path;
  uint64_t limit_bytes = 0;
  uint64_t usage_bytes = 0;
  uint64_t reclaimable_bytes = 0;  // page cache and slab, which the kernel evicts before it refuses memory
  uint64_t available_bytes() const;
};

/// Share of the last 10 s in which some, or all, tasks waited for memory, in percent (Documentation/accounting/psi).
struct MemoryPressure {
  double some_avg10 = 0;
  double full_avg10 = 0;
};

struct SystemMemory {
  uint64_t total_bytes = 0;
  uint64_t mem_available_bytes = 0;    // the machine's, from /proc/meminfo, which ignores cgroups
  std::optional<CgroupMemory> cgroup;  // of this process's group and its ancestors, the one with the least left
  std::optional<MemoryPressure> pressure;
  /// Bytes this process may still take: the smaller of the machine's and the cgroup's.
  uint64_t available_bytes() const;
  /// The machine's memory, or the cgroup's limit where that is less.
  uint64_t limit_bytes() const;
};
/// The roots are parameters for the tests.
SystemMemory read_system_memory(const std::filesystem::path& proc = "/proc",
                                const std::filesystem::path& cgroup = "/sys/fs/cgroup");

}  // namespace frugal
