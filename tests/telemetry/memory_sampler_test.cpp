#include "telemetry/memory_sampler.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/units.h"
#include "telemetry/process_memory.h"

using namespace frugal;

namespace {

/// Fresh anonymous pages, touched; given back when destroyed.
class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_(bytes) {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(data_, 1, bytes);
  }
  ~Pages() { ::munmap(data_, bytes_); }

 private:
  void* data_;
  size_t bytes_;
};

}  // namespace

TEST_CASE("a sampler sees a peak that is over before anyone looks, and says its interval") {
  MemorySampler sampler;
  const uint64_t before = read_memory().anon_bytes;
  {
    const Pages pages(48 * kMiB);
    const int64_t samples = sampler.peak().samples;
    while (sampler.peak().samples < samples + 3) ::usleep(1000);
  }
  const SampledPeak peak = sampler.peak();
  CHECK(peak.anon_with_swap_bytes >= before + 48 * kMiB);
  CHECK(read_memory().anon_bytes < before + 48 * kMiB);
  CHECK(peak.samples > 3);
  CHECK(peak.mean_interval_ms > 0);
  CHECK(peak.longest_gap_ms >= peak.mean_interval_ms);
  CHECK(peak.least_available_bytes > 0);
}

TEST_CASE("while memory grows, most readings are detailed ones, too") {
  constexpr int64_t kReadings = 200;
  std::atomic<int64_t> readings = 0, details = 0;
  {
    MemorySampler sampler(
        [&] {
          MemoryReading reading;
          reading.anon_bytes = static_cast<uint64_t>(++readings) * kMiB;
          return std::optional(reading);
        },
        [&] {
          ++details;
          return std::optional(ProcessMemory());
        });
    while (readings < kReadings) ::usleep(1000);
  }
  CHECK(details > kReadings / 4);
}

TEST_CASE("if nothing could be read, there are no samples, and what could not be told is unknown") {
  MemorySampler sampler([] { return std::optional<MemoryReading>(); }, [] { return std::optional<ProcessMemory>(); });
  const SampledPeak peak = sampler.peak();
  CHECK(peak.samples == 0);
  CHECK_FALSE(peak.memory.pss_bytes);
  CHECK(sampler.series().empty());
  CHECK(peak.least_available_bytes > 0);
}
