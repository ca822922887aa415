#include "telemetry/memory_stats.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A file of /proc or /sys, or nothing where it is not there or the process it belongs to is gone.
std::optional<std::string> read_pseudo_file(const fs::path& path) {
  try {
    return read_file(path, 1 << 20);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Number after `name` at the start of a line: "Pss:   12 kB", "inactive_file 4096".
std::optional<uint64_t> line_value(const std::string& text, const std::string& name) {
  size_t at = text.compare(0, name.size(), name) == 0 ? 0 : text.find("\n" + name);
  if (at == std::string::npos) return std::nullopt;
  at += (text[at] == '\n') + name.size();
  return std::strtoull(text.c_str() + at, nullptr, 10);
}

std::optional<uint64_t> line_kib(const std::string& text, const std::string& name) {
  const std::optional<uint64_t> value = line_value(text, name);
  return value ? std::optional(*value * 1024) : std::nullopt;
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

// Parent of a process, 0 if it is gone: field 4 of its stat line, after the name in parentheses.
int parent_of(int pid) {
  const std::optional<std::string> stat = read_pseudo_file(process_folder(pid) / "stat");
  const size_t name_end = stat ? stat->rfind(')') : std::string::npos;
  return name_end == std::string::npos || name_end + 4 > stat->size() ? 0 : std::atoi(stat->c_str() + name_end + 4);
}

std::vector<int> all_processes() {
  std::vector<int> pids;
  std::error_code gone;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", gone))
    if (const int pid = std::atoi(entry.path().filename().c_str())) pids.push_back(pid);
  return pids;
}

// ---- control groups ------------------------------------------------------------------------------------------------

struct CgroupFiles {
  const char *limit, *usage;
  std::vector<std::string> reclaimable;  // lines of memory.stat
};
const CgroupFiles kV1 = {
    "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file ", "total_active_file "}};
const CgroupFiles kV2 = {"memory.max", "memory.current", {"inactive_file ", "active_file ", "slab_reclaimable "}};

std::optional<CgroupMemory> read_cgroup(const fs::path& folder, const CgroupFiles& files) {
  const auto limit = read_pseudo_file(folder / files.limit), usage = read_pseudo_file(folder / files.usage);
  // v2 writes "max" for no limit; v1 a number near 2^63.
  if (!limit || !usage || limit->empty() || !std::isdigit(static_cast<unsigned char>(limit->front())))
    return std::nullopt;
  CgroupMemory cgroup;
  cgroup.path = folder;
  cgroup.limit_bytes = std::strtoull(limit->c_str(), nullptr, 10);
  cgroup.usage_bytes = std::strtoull(usage->c_str(), nullptr, 10);
  if (cgroup.limit_bytes > uint64_t(1) << 62) return std::nullopt;
  const std::string stat = read_pseudo_file(folder / "memory.stat").value_or("");
  for (const std::string& line : files.reclaimable) cgroup.reclaimable_bytes += line_value(stat, line).value_or(0);
  return cgroup;
}

// The tightest of `root`/`path` and its ancestors up to `root`. Inside a container the path may name folders that only
// the host sees; then the mounted root is our own group.
void tighten(std::optional<CgroupMemory>& tightest, const fs::path& root, fs::path path, const CgroupFiles& files) {
  for (;; path = path.parent_path()) {
    const std::optional<CgroupMemory> cgroup = read_cgroup(root / path, files);
    if (cgroup && (!tightest || cgroup->available_bytes() < tightest->available_bytes())) tightest = cgroup;
    if (path.empty()) return;
  }
}

// Lines of /proc/self/cgroup: "4:memory:/a/b" (v1) and "0::/a/b" (v2).
std::optional<CgroupMemory> tightest_cgroup(const std::string& membership, const fs::path& mount) {
  std::optional<CgroupMemory> tightest;
  for (size_t begin = 0; begin < membership.size();) {
    const size_t end = std::min(membership.find('\n', begin), membership.size());
    const std::string line = membership.substr(begin, end - begin);
    begin = end + 1;
    const size_t slash = line.find(":/");
    if (slash == std::string::npos) continue;
    const fs::path path = line.substr(slash + 2);
    if (line.compare(0, 3, "0::") == 0) {
      tighten(tightest, mount, path, kV2);
      tighten(tightest, mount / "unified", path, kV2);
    } else if ((line.substr(0, slash) + ",").find("memory,") != std::string::npos) {
      tighten(tightest, mount / "memory", path, kV1);
    }
  }
  return tightest;
}

std::optional<double> pressure_avg10(const std::string& text, const std::string& kind) {
  const size_t at = text.find(kind + " avg10=");
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(text.c_str() + at + kind.size() + 7, nullptr);
}

std::optional<MemoryPressure> read_pressure(const fs::path& file) {
  const std::string text = read_pseudo_file(file).value_or("");
  const std::optional<double> some = pressure_avg10(text, "some"), full = pressure_avg10(text, "full");
  if (!some || !full) return std::nullopt;
  return MemoryPressure{*some, *full};
}

FileDescriptor open_file(const fs::path& path, struct stat& info) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fstat(fd.get(), &info) != 0) throw io_error("open", path.native());
  return fd;
}

}  // namespace

std::optional<ProcessMemory> read_process(int pid) {
  const std::optional<MemoryReading> resident = read_memory_of(pid);
  if (!resident) return std::nullopt;
  ProcessMemory memory;
  memory.resident = *resident;
  read_rollup(pid, memory);
  return memory;
}

MemoryReading read_resident(std::span<const int> pids) {
  MemoryReading total;
  for (int pid : pids)
    if (const std::optional<MemoryReading> reading = read_memory_of(pid)) add(total, *reading);
  return total;
}

ProcessMemory read_processes(std::span<const int> pids) {
  ProcessMemory total;
  total.pss_bytes = total.uss_bytes = 0;
  for (int pid : pids) {
    const std::optional<ProcessMemory> memory = read_process(pid);
    if (!memory) continue;
    add(total.resident, memory->resident);
    total.pss_bytes = sum(total.pss_bytes, memory->pss_bytes);
    total.uss_bytes = sum(total.uss_bytes, memory->uss_bytes);
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

uint64_t CgroupMemory::available_bytes() const {
  const uint64_t held = usage_bytes - std::min(usage_bytes, reclaimable_bytes);
  return limit_bytes - std::min(limit_bytes, held);
}

uint64_t SystemMemory::available_bytes() const {
  return cgroup ? std::min(mem_available_bytes, cgroup->available_bytes()) : mem_available_bytes;
}

uint64_t SystemMemory::limit_bytes() const {
  return cgroup ? std::min(total_bytes, cgroup->limit_bytes) : total_bytes;
}

SystemMemory read_system_memory(const fs::path& proc, const fs::path& cgroup) {
  SystemMemory memory;
  const std::string meminfo = read_pseudo_file(proc / "meminfo").value_or("");
  memory.total_bytes = line_kib(meminfo, "MemTotal:").value_or(0);
  memory.mem_available_bytes = line_kib(meminfo, "MemAvailable:").value_or(0);
  memory.cgroup = tightest_cgroup(read_pseudo_file(proc / "self/cgroup").value_or(""), cgroup);
  memory.pressure = read_pressure(proc / "pressure/memory");
  return memory;
}

std::optional<Residency> page_cache_residency(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  // To anyone else mincore() claims that every page is resident (Linux 5.2, against cache side channels).
  if (info.st_uid != ::geteuid() && ::access(file.c_str(), W_OK) != 0) return std::nullopt;
  Residency residency;
  residency.file_bytes = static_cast<uint64_t>(info.st_size);
  if (residency.file_bytes == 0) return residency;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  void* mapped = ::mmap(nullptr, residency.file_bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) throw io_error("map", file.native());
  std::vector<unsigned char> pages((residency.file_bytes + page - 1) / page);
  const int status = ::mincore(mapped, residency.file_bytes, pages.data());
  ::munmap(mapped, residency.file_bytes);
  if (status != 0) return std::nullopt;
  const auto resident = std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
  residency.resident_bytes = std::min(static_cast<uint64_t>(resident) * page, residency.file_bytes);
  return residency;
}

std::optional<Residency> page_cache_residency(std::span<const fs::path> files) {
  Residency total;
  for (const fs::path& file : files) {
    const std::optional<Residency> one = page_cache_residency(file);
    if (!one) return std::nullopt;
    total.file_bytes += one->file_bytes;
    total.resident_bytes += one->resident_bytes;
  }
  return total;
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

void bring_into_page_cache(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  if (const int status = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_WILLNEED)) {
    errno = status;
    throw io_error("read ahead", file.native());
  }
}

void drop_from_page_cache(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  // Dirty pages are not dropped, so they are written first.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) throw io_error("sync", file.native());
  if (const int status = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED)) {
    errno = status;
    throw io_error("drop from the page cache", file.native());
  }
}

}  // namespace frugal
