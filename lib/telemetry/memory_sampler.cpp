#include "telemetry/memory_sampler.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "telemetry/system_memory.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kReadingsPerDetail = 10;
// Detailed readings take at most one part in this many of the time.
constexpr int kDetailShare = 10;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// True if that is more than before.
bool raise(uint64_t& peak, uint64_t value) {
  const bool higher = value > peak;
  peak = std::max(peak, value);
  return higher;
}
void raise(std::optional<uint64_t>& peak, std::optional<uint64_t> value) {
  if (value) peak = std::max(peak.value_or(0), *value);
}

}  // namespace

struct MemorySampler::Shared {
  Source source;
  DetailSource detail;
  std::chrono::milliseconds interval;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  SampledPeak peak;
  MemorySeries series;
  Clock::time_point begin = Clock::now(), last = begin, last_detail;  // last_detail: the epoch, so the first is due
  std::array<Clock::duration, 2> detail_costs{};
  std::thread thread;

  // True if more is resident than in any reading before.
  bool raise_resident(const MemoryReading& now) {
    MemoryReading& top = peak.memory.resident;
    const bool anon = raise(top.anon_bytes, now.anon_bytes), file = raise(top.file_bytes, now.file_bytes),
               shared = raise(top.shared_bytes, now.shared_bytes);
    raise(top.swap_bytes, now.swap_bytes);
    raise(top.minor_faults, now.minor_faults);
    raise(top.major_faults, now.major_faults);
    raise(peak.anon_with_swap_bytes, now.anon_bytes + now.swap_bytes);
    return anon || file || shared;
  }

  bool sample() {
    const std::optional<MemoryReading> now = source();
    if (!now) return false;
    const Clock::time_point time = Clock::now();
    series.add({std::chrono::nanoseconds(time.time_since_epoch()).count(), now->anon_bytes + now->swap_bytes,
                now->file_bytes, now->shared_bytes});
    peak.longest_gap_ms = std::max(peak.longest_gap_ms, milliseconds(time - last));
    last = time;
    ++peak.samples;
    peak.mean_interval_ms = milliseconds(time - begin) / static_cast<double>(peak.samples);
    return raise_resident(*now);
  }

  void sample_detail() {
    const Clock::time_point start = Clock::now();
    if (const std::optional<ProcessMemory> now = detail()) {
      raise_resident(now->resident);
      raise(peak.memory.pss_bytes, now->pss_bytes);
      raise(peak.memory.uss_bytes, now->uss_bytes);
    }
    const uint64_t available = read_system_memory().available_bytes();
    peak.least_available_bytes =
        peak.least_available_bytes ? std::min(peak.least_available_bytes, available) : available;
    last_detail = Clock::now();
    detail_costs = {detail_costs[1], last_detail - start};
  }

  // The cost is the smaller of the last two, since a reading may be interrupted by another process.
  bool detail_is_due(bool higher) const {
    const Clock::duration since = Clock::now() - last_detail;
    if (since < (kDetailShare - 1) * std::min(detail_costs[0], detail_costs[1])) return false;
    return higher || since >= kReadingsPerDetail * pause();
  }

  // A twentieth of the age so far, within limits: a stage of a few milliseconds is seen as finely as a long one.
  Clock::duration pause() const {
    constexpr Clock::duration kShortest = std::chrono::microseconds(250);
    return std::min<Clock::duration>(interval, std::max(kShortest, (Clock::now() - begin) / 20));
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (detail_is_due(sample())) sample_detail();
      wake.wait_for(lock, pause(), [&] { return stopping; });
    }
  }
};

MemorySampler::MemorySampler(std::chrono::milliseconds interval)
    : MemorySampler([] { return read_memory(); }, [] { return read_process().value_or(ProcessMemory()); }, interval) {}

MemorySampler::MemorySampler(Source source, DetailSource detail, std::chrono::milliseconds interval)
    : shared_(std::make_unique<Shared>()) {
  shared_->source = std::move(source);
  shared_->detail = std::move(detail);
  shared_->interval = interval;
  shared_->thread = std::thread([shared = shared_.get()] { shared->run(); });
}

MemorySampler::~MemorySampler() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->wake.notify_all();
  shared_->thread.join();
}

SampledPeak MemorySampler::peak() {
  std::lock_guard lock(shared_->mutex);
  shared_->sample();
  shared_->sample_detail();
  return shared_->peak;
}

std::vector<MemoryPoint> MemorySampler::series() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->series.points();
}

}  // namespace frugal
