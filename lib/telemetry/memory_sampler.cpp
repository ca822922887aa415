#include "telemetry/memory_sampler.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "telemetry/system_memory.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kDetailEvery = 10;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void raise(uint64_t& peak, uint64_t value) {
  peak = std::max(peak, value);
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
  Clock::time_point begin = Clock::now(), last = begin;
  std::thread thread;

  void sample() {
    const MemoryReading now = source();
    MemoryReading& top = peak.memory.resident;
    raise(top.anon_bytes, now.anon_bytes);
    raise(top.file_bytes, now.file_bytes);
    raise(top.shared_bytes, now.shared_bytes);
    raise(top.swap_bytes, now.swap_bytes);
    raise(top.minor_faults, now.minor_faults);
    raise(top.major_faults, now.major_faults);
    raise(peak.anon_with_swap_bytes, now.anon_bytes + now.swap_bytes);
    const Clock::time_point time = Clock::now();
    series.add({std::chrono::nanoseconds(time.time_since_epoch()).count(), now.anon_bytes + now.swap_bytes,
                now.file_bytes, now.shared_bytes});
    peak.longest_gap_ms = std::max(peak.longest_gap_ms, milliseconds(time - last));
    last = time;
    ++peak.samples;
    peak.mean_interval_ms = milliseconds(time - begin) / static_cast<double>(peak.samples);
  }

  void sample_detail() {
    const ProcessMemory now = detail();
    raise(peak.memory.pss_bytes, now.pss_bytes);
    raise(peak.memory.uss_bytes, now.uss_bytes);
    const uint64_t available = read_system_memory().available_bytes();
    peak.least_available_bytes =
        peak.least_available_bytes ? std::min(peak.least_available_bytes, available) : available;
  }

  // A twentieth of the age so far, within limits: a stage of a few milliseconds is seen as finely as a long one.
  Clock::duration pause() const {
    constexpr Clock::duration kShortest = std::chrono::microseconds(250);
    return std::min<Clock::duration>(interval, std::max(kShortest, (Clock::now() - begin) / 20));
  }

  void run() {
    std::unique_lock lock(mutex);
    for (int64_t count = 0; !stopping; ++count) {
      sample();
      if (count % kDetailEvery == 0) sample_detail();
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
