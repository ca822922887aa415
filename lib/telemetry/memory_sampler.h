// Peaks of a process's memory between two moments, from readings on a thread of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "telemetry/memory_series.h"
#include "telemetry/process_memory.h"

namespace frugal {

/// The peaks between a sampler's start and now. Each field's peak is taken on its own.
struct SampledPeak {
  ProcessMemory memory;                // swap and faults: the last reading
  uint64_t anon_with_swap_bytes = 0;   // the headline
  uint64_t least_available_bytes = 0;  // of SystemMemory::available_bytes()
  int64_t samples = 0;                 // 0: nothing was read, so every figure of `memory` is unknown
  double mean_interval_ms = 0;
  double longest_gap_ms = 0;  // allocations made and freed within it were not seen
};

/// Reads memory until it is destroyed, every 250 µs at first and ever more slowly up to the interval (a reading takes
/// some 30 µs). A peak may miss what is allocated and freed between two samples, so the interval is part of the result.
/// Detailed readings are a tenth as often; while memory grows, they are as often as they can be in a tenth of the time,
/// so that the peaks of PSS and USS belong to that of the resident memory.
class MemorySampler {
 public:
  // nullopt: there is nothing to read (any more).
  using Source = std::function<std::optional<MemoryReading>()>;        // cheap
  using DetailSource = std::function<std::optional<ProcessMemory>()>;  // walks page tables

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
