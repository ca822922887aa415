// What memory a process really holds, and what it may still take: the figures that mem-profile and bench-latency print.
// Resident pages of mapped files are not the process's own: anonymous, file-backed and proportional (PSS) memory are
// reported apart, never as one RSS. Not an allocator's books: those are in budget.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "telemetry/memory_series.h"
#include "telemetry/trace.h"

namespace frugal {

/// Memory of one process or the sum over several. Proportional and unique set size come from smaps_rollup, which walks
/// the page tables (about 1 ms for 1 GiB), and are unknown where the kernel does not let us read it.
struct ProcessMemory {
  MemoryReading resident;
  std::optional<uint64_t> pss_bytes;
  std::optional<uint64_t> uss_bytes;
  uint64_t rss_bytes() const { return resident.anon_bytes + resident.file_bytes + resident.shared_bytes; }
};
/// nullopt if the process is gone. pid 0: this process.
std::optional<ProcessMemory> read_process(int pid = 0);
/// Sums over those of `pids` that still live; PSS is unknown if it is for any of them.
MemoryReading read_resident(std::span<const int> pids);
ProcessMemory read_processes(std::span<const int> pids);
/// Every process below `pid`, at any depth, in no order; `pid` itself is not among them.
std::vector<int> descendants(int pid);

/// Sets VmHWM, the kernel's high-water mark of this process, back to what is resident now. It counts file pages too, so
/// an anonymous peak comes from MemorySampler. False where the kernel refuses.
bool reset_high_water_mark();
/// VmHWM in bytes; 0 if unknown.
uint64_t high_water_mark_bytes();

/// A memory cgroup with a limit, v1 or v2.
struct CgroupMemory {
  std::filesystem::path path;
  uint64_t limit_bytes = 0;
  uint64_t usage_bytes = 0;
  uint64_t reclaimable_bytes = 0;  // page cache and slab that the kernel gives up before it refuses
  uint64_t available_bytes() const;
};

/// Share of the last 10 s in which some, or all, tasks waited for memory, in percent (Documentation/accounting/psi).
struct MemoryPressure {
  double some_avg10 = 0;
  double full_avg10 = 0;
};

struct SystemMemory {
  uint64_t total_bytes = 0;
  uint64_t mem_available_bytes = 0;    // the machine's, from /proc/meminfo, which knows nothing of cgroups
  std::optional<CgroupMemory> cgroup;  // of this process and its ancestors, the one with the least left
  std::optional<MemoryPressure> pressure;
  /// What this process may still take: the least of the machine's and the cgroup's.
  uint64_t available_bytes() const;
  /// What it could ever take: the machine's, or the cgroup's limit where that is less.
  uint64_t limit_bytes() const;
};
/// The roots are parameters for the tests.
SystemMemory read_system_memory(const std::filesystem::path& proc = "/proc",
                                const std::filesystem::path& cgroup = "/sys/fs/cgroup");

struct Residency {
  uint64_t file_bytes = 0;
  uint64_t resident_bytes = 0;  // in the page cache, whoever put it there
};
/// By mincore. nullopt where the kernel does not tell us: it answers truly only to who owns or may write the file.
/// Throws Error(io) if the file cannot be opened.
std::optional<Residency> page_cache_residency(const std::filesystem::path& file);
/// Sum over the files; nullopt if any is unknown.
std::optional<Residency> page_cache_residency(std::span<const std::filesystem::path> files);
/// Pages of `file` that this process has mapped and touched, or that the kernel mapped around one it touched; 0 if it
/// maps none of it. nullopt if /proc does not tell or there is no such file.
std::optional<uint64_t> mapped_resident_bytes(const std::filesystem::path& file);
/// Gives freed heap pages back to the system, which the allocator would keep.
void release_free_heap();
/// What malloc has given out, of all its arenas and mappings.
uint64_t heap_in_use_bytes();
/// Asks the kernel to read `file`; may return before it has. Throws Error(io).
void bring_into_page_cache(const std::filesystem::path& file);
/// Writes the file back and asks the kernel to forget its pages. Works without root where no process maps them; look at
/// page_cache_residency() afterwards. Throws Error(io).
void drop_from_page_cache(const std::filesystem::path& file);

/// The peaks between a sampler's start and now. Each field's peak is taken on its own.
struct SampledPeak {
  ProcessMemory memory;                // of swap and faults: the last reading
  uint64_t anon_with_swap_bytes = 0;   // the headline
  uint64_t least_available_bytes = 0;  // of SystemMemory::available_bytes()
  int64_t samples = 0;
  double mean_interval_ms = 0;
  double longest_gap_ms = 0;  // what came and went within it was not seen
};

/// Reads memory on a thread of its own until it is destroyed, every 250 µs at first and ever more slowly up to the
/// interval (a reading takes some 30 µs). A peak is true to within what is allocated and freed
/// between two samples, so the interval is part of the result.
class MemorySampler {
 public:
  using Source = std::function<MemoryReading()>;        // cheap: each time
  using DetailSource = std::function<ProcessMemory()>;  // walks page tables: every tenth time

  /// Of this process.
  explicit MemorySampler(std::chrono::milliseconds interval = kInterval);
  MemorySampler(Source source, DetailSource detail, std::chrono::milliseconds interval = kInterval);
  MemorySampler(const MemorySampler&) = delete;
  MemorySampler& operator=(const MemorySampler&) = delete;
  ~MemorySampler();

  /// Takes a last sample of both kinds and returns the peaks so far.
  SampledPeak peak();
  /// What was read so far, in order.
  std::vector<MemoryPoint> series() const;

  static constexpr std::chrono::milliseconds kInterval{5};

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace frugal
