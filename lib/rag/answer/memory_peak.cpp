#include "rag/answer/memory_peak.h"

#include <algorithm>

#include "telemetry/process_memory.h"

namespace frugal {

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
  const std::optional<ProcessMemory> now = pss ? read_process() : ProcessMemory{read_memory(), {}, {}};
  if (now) {
    include(now->resident);
    peak.pss_bytes = now->pss_bytes;
  }
  return peak;
}

}  // namespace frugal
