#include "measure/profile/stage_profile.h"

namespace frugal {

MemorySnapshot take_snapshot(std::span<const std::filesystem::path> files) {
  MemorySnapshot snapshot;
  snapshot.process = read_process().value_or(ProcessMemory());
  snapshot.system = read_system_memory();
  if (!files.empty()) snapshot.files = page_cache_residency(files);
  for (const std::filesystem::path& file : files)
    if (const std::optional<uint64_t> mapped = mapped_resident_bytes(file))
      snapshot.mapped_bytes = snapshot.mapped_bytes.value_or(0) + *mapped;
  return snapshot;
}

StageProfile profile_stage(std::string name, std::span<const std::filesystem::path> files,
                           const std::function<void()>& body, const std::function<std::optional<GpuMemory>()>& gpu) {
  StageProfile profile;
  profile.name = std::move(name);
  profile.before = take_snapshot(files);
  if (gpu) profile.before.gpu = gpu();
  const bool reset = reset_high_water_mark();
  {
    MemorySampler sampler;
    const auto begin = std::chrono::steady_clock::now();
    profile.begin_ns = std::chrono::nanoseconds(begin.time_since_epoch()).count();
    body();
    profile.elapsed_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
    profile.peak = sampler.peak();
    profile.series = sampler.series();
  }
  if (reset) profile.high_water_bytes = high_water_mark_bytes();
  profile.after = take_snapshot(files);
  if (gpu) profile.after.gpu = gpu();
  return profile;
}

}  // namespace frugal
