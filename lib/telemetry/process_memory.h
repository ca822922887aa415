// Memory that a process really holds: the figures that mem-profile and bench-latency print.
// Resident pages of mapped files belong to the page cache, not to the process, so anonymous, file-backed and
// proportional (PSS) memory are reported apart, never as one RSS. Not an allocator's books: those are in
// memory/budget.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace frugal {

/// Resident memory of a process. Touched pages of mapped files count as file, never as anonymous.
struct MemoryReading {
  uint64_t anon_bytes = 0;
  uint64_t file_bytes = 0;
  uint64_t shared_bytes = 0;  // shared memory (shmem)
  uint64_t swap_bytes = 0;
  uint64_t minor_faults = 0;
  uint64_t major_faults = 0;
};

/// Of this process: one read of /proc/self/status and getrusage, some 30 µs.
MemoryReading read_memory();
/// Of any process, from /proc/PID; nullopt if it has ended, waited for or not, or may not be read. pid 0: this process.
std::optional<MemoryReading> read_memory_of(int pid);

/// Memory of one process or the sum over several. Proportional and unique set size come from smaps_rollup, which walks
/// the page tables (about 1 ms for 1 GiB), and are unknown where the kernel does not let us read it.
struct ProcessMemory {
  MemoryReading resident;
  std::optional<uint64_t> pss_bytes;
  std::optional<uint64_t> uss_bytes;
  uint64_t rss_bytes() const { return resident.anon_bytes + resident.file_bytes + resident.shared_bytes; }
};
/// nullopt if the process has ended. pid 0: this process.
std::optional<ProcessMemory> read_process(int pid = 0);
/// Sums over the living of `pids`, nullopt if none lives; PSS is unknown if it is for any of them.
std::optional<MemoryReading> read_resident(std::span<const int> pids);
std::optional<ProcessMemory> read_processes(std::span<const int> pids);
/// Every process below `pid`, at any depth, in no order; `pid` itself is not among them.
std::vector<int> descendants(int pid);

/// Sets VmHWM, the kernel's high-water mark of this process, back to what is resident now. It counts file pages too, so
/// an anonymous peak comes from MemorySampler. False where the kernel refuses.
bool reset_high_water_mark();
/// VmHWM in bytes; 0 if unknown.
uint64_t high_water_mark_bytes();

/// Pages of `file` that this process has mapped and touched, or that the kernel mapped around one it touched; 0 if it
/// maps none of it. nullopt if there is no such file or /proc cannot be read.
std::optional<uint64_t> mapped_resident_bytes(const std::filesystem::path& file);
/// Returns freed heap pages, which the allocator would keep, to the system.
void release_free_heap();
/// Bytes allocated from malloc, in all its arenas and mappings.
uint64_t heap_in_use_bytes();

}  // namespace frugal
