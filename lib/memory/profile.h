// One stage of a job measured: memory before, after and at its peak. What mem-profile prints a line of.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "memory/stats.h"

namespace frugal {

struct MemorySnapshot {
  ProcessMemory process;
  SystemMemory system;
  std::optional<Residency> files;  // of the model files that the stage names; nullopt: none, or unknown
};
MemorySnapshot take_snapshot(std::span<const std::filesystem::path> files = {});

struct StageProfile {
  std::string name;
  int64_t elapsed_ns = 0;  // of the body, without the snapshots
  MemorySnapshot before, after;
  SampledPeak peak;
  std::optional<uint64_t>
      high_water_bytes;  // the kernel's, anonymous and file pages together; nullopt if it cannot be reset
};

/// Runs `body` under a sampler. An exception passes through.
StageProfile profile_stage(std::string name, std::span<const std::filesystem::path> files,
                           const std::function<void()>& body);

}  // namespace frugal
