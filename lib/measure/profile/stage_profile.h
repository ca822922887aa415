// Measures one stage of a job: memory before, after and at its peak. mem-profile prints one line per stage.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "telemetry/memory_sampler.h"
#include "telemetry/page_cache.h"
#include "telemetry/process_memory.h"
#include "telemetry/system_memory.h"

namespace frugal {

/// Memory of a model's device; nullopt: unknown.
struct GpuMemory {
  std::optional<uint64_t> used_bytes;
  std::optional<uint64_t> reserved_bytes;  // taken from the device, caches included
  std::optional<uint64_t> peak_bytes;      // maximum in use during the stage
};

struct MemorySnapshot {
  ProcessMemory process;
  SystemMemory system;
  std::optional<Residency> files;        // the stage's model files in the page cache; nullopt: none, or unknown
  std::optional<uint64_t> mapped_bytes;  // those files' pages mapped by this process
  std::optional<GpuMemory> gpu;          // nullopt: no device
};
MemorySnapshot take_snapshot(std::span<const std::filesystem::path> files = {});

struct StageProfile {
  std::string name;
  int64_t begin_ns = 0;    // steady clock
  int64_t elapsed_ns = 0;  // the body, without the snapshots
  MemorySnapshot before, after;
  SampledPeak peak;
  std::vector<MemoryPoint> series;
  std::optional<uint64_t>
      high_water_bytes;  // the kernel's mark, anonymous and file pages; nullopt if it cannot be reset
};

/// Runs `body` under a memory sampler. `gpu`, if given, is called before and after. Exceptions pass through.
StageProfile profile_stage(std::string name, std::span<const std::filesystem::path> files,
                           const std::function<void()>& body,
                           const std::function<std::optional<GpuMemory>()>& gpu = {});

}  // namespace frugal
