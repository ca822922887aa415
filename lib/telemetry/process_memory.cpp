#include "telemetry/process_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/file.h"
#include "base/folder.h"
#include "telemetry/pseudo_file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// Value in bytes of a "Name:   123 kB" line.
uint64_t status_bytes(const char* status, const char* name) {
  const char* line = std::strstr(status, name);
  return line ? std::strtoull(line + std::strlen(name), nullptr, 10) * 1024 : 0;
}

MemoryReading parse_status(const char* status) {
  MemoryReading reading;
  reading.anon_bytes = status_bytes(status, "RssAnon:");
  reading.file_bytes = status_bytes(status, "RssFile:");
  reading.shared_bytes = status_bytes(status, "RssShmem:");
  reading.swap_bytes = status_bytes(status, "VmSwap:");
  return reading;
}

fs::path process_folder(int pid) {
  return fs::path("/proc") / (pid == 0 ? "self" : std::to_string(pid));
}

void read_rollup(int pid, ProcessMemory& memory) {
  const std::optional<std::string> rollup = read_pseudo_file(process_folder(pid) / "smaps_rollup");
  if (!rollup) return;
  memory.pss_bytes = line_kib(*rollup, "Pss:");
  const auto clean = line_kib(*rollup, "Private_Clean:"), dirty = line_kib(*rollup, "Private_Dirty:");
  if (clean && dirty) memory.uss_bytes = *clean + *dirty;
}

std::optional<uint64_t> sum(std::optional<uint64_t> a, std::optional<uint64_t> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

void add(MemoryReading& total, const MemoryReading& part) {
  total.anon_bytes += part.anon_bytes;
  total.file_bytes += part.file_bytes;
  total.shared_bytes += part.shared_bytes;
  total.swap_bytes += part.swap_bytes;
  total.minor_faults += part.minor_faults;
  total.major_faults += part.major_faults;
}

// 0 if the process has ended.
int parent_of(int pid) {
  const std::optional<std::string> stat = read_pseudo_file(process_folder(pid) / "stat");
  return stat ? static_cast<int>(stat_field(stat->c_str(), 4)) : 0;
}

std::vector<int> all_processes() {
  std::vector<int> pids;
  for (const fs::path& entry : folder_entries("/proc"))
    if (const int pid = std::atoi(entry.filename().c_str())) pids.push_back(pid);
  return pids;
}

}  // namespace

MemoryReading read_memory() {
  MemoryReading reading;
  char status[4096];
  if (read_proc("/proc/self/status", status, sizeof status) > 0) reading = parse_status(status);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  reading.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
  reading.major_faults = static_cast<uint64_t>(usage.ru_majflt);
  return reading;
}

std::optional<MemoryReading> read_memory_of(int pid) {
  if (pid == 0) return read_memory();
  const std::string folder = "/proc/" + std::to_string(pid);
  char status[4096], stat[1024];
  if (read_proc((folder + "/status").c_str(), status, sizeof status) == 0) return std::nullopt;
  if (read_proc((folder + "/stat").c_str(), stat, sizeof stat) == 0) return std::nullopt;
  if (!std::strstr(status, "RssAnon:")) return std::nullopt;  // it has ended and was not waited for
  MemoryReading reading = parse_status(status);
  reading.minor_faults = stat_field(stat, 10);
  reading.major_faults = stat_field(stat, 12);
  return reading;
}

std::optional<ProcessMemory> read_process(int pid) {
  const std::optional<MemoryReading> resident = read_memory_of(pid);
  if (!resident) return std::nullopt;
  ProcessMemory memory;
  memory.resident = *resident;
  read_rollup(pid, memory);
  return memory;
}

std::optional<MemoryReading> read_resident(std::span<const int> pids) {
  std::optional<MemoryReading> total;
  for (int pid : pids)
    if (const std::optional<MemoryReading> reading = read_memory_of(pid)) {
      if (!total) total.emplace();
      add(*total, *reading);
    }
  return total;
}

std::optional<ProcessMemory> read_processes(std::span<const int> pids) {
  std::optional<ProcessMemory> total;
  for (int pid : pids) {
    const std::optional<ProcessMemory> memory = read_process(pid);
    if (!memory) continue;
    if (!total) {
      total = memory;
      continue;
    }
    add(total->resident, memory->resident);
    total->pss_bytes = sum(total->pss_bytes, memory->pss_bytes);
    total->uss_bytes = sum(total->uss_bytes, memory->uss_bytes);
  }
  return total;
}

std::vector<int> descendants(int pid) {
  std::vector<std::pair<int, int>> parents;  // process, its parent
  for (int process : all_processes()) parents.emplace_back(process, parent_of(process));
  std::vector<int> found, generation = {pid};
  while (!generation.empty()) {
    std::vector<int> children;
    for (const auto& [process, parent] : parents)
      if (std::find(generation.begin(), generation.end(), parent) != generation.end()) children.push_back(process);
    found.insert(found.end(), children.begin(), children.end());
    generation = std::move(children);
  }
  return found;
}

bool reset_high_water_mark() {
  const FileDescriptor fd(::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), "5", 1) == 1;
}

uint64_t high_water_mark_bytes() {
  return line_kib(read_pseudo_file("/proc/self/status").value_or(""), "VmHWM:").value_or(0);
}

std::optional<uint64_t> mapped_resident_bytes(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return std::nullopt;
  std::ifstream smaps("/proc/self/smaps");  // line by line: it may be long, and what holds it would be measured too
  if (!smaps) return std::nullopt;
  // A mapping is a line "55e0…-55e1… r--p 00000000 fe:00 247134   /path" and then its figures, "Rss:   8 kB".
  uint64_t total = 0;
  bool ours = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned major = 0, minor = 0;
    unsigned long long inode = 0;
    if (std::sscanf(line.c_str(), "%*x-%*x %*s %*x %x:%x %llu", &major, &minor, &inode) == 3)
      ours = inode == info.st_ino && major == gnu_dev_major(info.st_dev) && minor == gnu_dev_minor(info.st_dev);
    else if (ours && line.starts_with("Rss:"))
      total += line_kib(line, "Rss:").value_or(0);
  }
  return total;
}

void release_free_heap() {
  ::malloc_trim(0);
}

uint64_t heap_in_use_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace frugal
