#include "rag/memory_peak.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"

namespace frugal {
namespace {

std::optional<uint64_t> read_pss() {
  try {
    const std::string rollup = read_file("/proc/self/smaps_rollup", 64 * kKiB);
    const size_t line = rollup.find("\nPss:");
    if (line == std::string::npos) return std::nullopt;
    return std::strtoull(rollup.c_str() + line + 5, nullptr, 10) * kKiB;
  } catch (const Error&) {
    return std::nullopt;  // not every kernel or container shows it
  }
}

}  // namespace

MemoryPeak memory_peak(const Trace& trace, bool pss) {
  MemoryPeak peak;
  const auto include = [&](const MemoryReading& reading) {
    peak.anon_bytes = std::max(peak.anon_bytes, reading.anon_bytes + reading.swap_bytes);
    peak.file_bytes = std::max(peak.file_bytes, reading.file_bytes);
  };
  for (const StageRecord& stage : trace.stages()) {
    include(stage.before);
    include(stage.after);
  }
  include(read_memory());
  if (pss) peak.pss_bytes = read_pss();
  return peak;
}

}  // namespace frugal
