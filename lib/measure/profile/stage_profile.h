// One stage of a job measured: memory before, after and at its peak. What mem-profile prints a line of.
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

/// Memory of a model's device; nullopt for what is not known.
struct GpuMemory {
  std::optional<uint64_t> used_bytes;
  std::optional<uint64_t> reserved_bytes;  // taken from the device, caches included
  std::optional<uint64_t> peak_bytes;      // the most that was in use during the stage
};

struct MemorySnapshot {
  ProcessMemory process;
  SystemMemory system;
  std::optional<Residency> files;        // of the model files that the stage names; nullopt: none, or unknown
  std::optional<uint64_t> mapped_bytes;  // of those files' pages, in this process
  std::optional<GpuMemory> gpu;          // nullopt: no device is in use
};
MemorySnapshot take_snapshot(std::span<const std::filesystem::path> files = {});

struct StageProfile {
  std::string name;
  int64_t begin_ns = 0;    // of the steady clock
  int64_t elapsed_ns = 0;  // of the body, without the snapshots
  MemorySnapshot before, after;
  SampledPeak peak;
  std::vector<MemoryPoint> series;
  std::optional<uint64_t>
      high_water_bytes;  // the kernel's, anonymous and file pages together; nullopt if it cannot be reset
};

/// Runs `body` under a sampler. `gpu`, if given, is asked before and after. An exception passes through.
StageProfile profile_stage(std::string name, std::span<const std::filesystem::path> files,
                           const std::function<void()>& body,
                           const std::function<std::optional<GpuMemory>()>& gpu = {});

}  // namespace frugal
