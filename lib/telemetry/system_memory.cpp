#include "telemetry/system_memory.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

#include "telemetry/pseudo_file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

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

// The group with the least left of `root`/`path` and its ancestors up to `root`. Inside a container the path may name
// folders that only the host sees; then the mounted root is our own group.
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

}  // namespace

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

}  // namespace frugal
