#include "memory/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "memory/page_pool.h"

namespace frugal {
namespace {

// Reading the system's memory takes a tenth of a millisecond, as long as touching this much.
constexpr uint64_t kAskEveryBytes = kMiB;
// Left free for memory that no budget counts, heaps above all, and for processes that are granted memory at the same
// moment: it is touched by the MiB (PagePool::populate).
constexpr uint64_t kSpareBytes = 24 * kMiB;
// Extra share in the limit that a refusal suggests, for the KV cache and the activations to come: 1/32.
constexpr uint64_t kSlackDivisor = 32;

MetricLabels label_of(int tag, const MetricLabels& more) {
  MetricLabels labels = {{"tag", std::string(to_string(static_cast<MemoryTag>(tag)))}};
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

void report_pool(const PoolStats& stats, const MetricLabels& labels, MetricSink& sink) {
  const auto figure = [](uint64_t count) { return static_cast<double>(count); };
  sink.peak("frugal_pool_committed_peak_bytes", "Peak of the committed pages of a pool",
            figure(stats.peak_committed_bytes), labels);
  sink.counter("frugal_pool_allocations_total", "Blocks and arrays allocated from a pool",
               static_cast<double>(stats.allocations), labels);
  sink.peak("frugal_pool_residency_seconds", "Mean lifetime of the blocks and arrays of a pool",
            stats.mean_residency_ms / 1000, labels);
  sink.ratio("frugal_pool_utilisation", "Share of the committed pages of a pool that is allocated",
             figure(stats.used_bytes), figure(stats.committed_bytes), labels);
  sink.ratio("frugal_pool_fragmentation", "Share of the committed pages of a pool that is not allocated",
             figure(stats.committed_bytes - stats.used_bytes), figure(stats.committed_bytes), labels);
}

}  // namespace

std::string_view to_string(MemoryTag tag) {
  static constexpr std::string_view kNames[kMemoryTags] = {"weights", "kv_cache", "activations", "index", "io"};
  return kNames[static_cast<int>(tag)];
}

Reservation::Reservation(Reservation&& other) noexcept
    : budget_(other.budget_), tag_(other.tag_), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  release();
  budget_ = other.budget_;
  tag_ = other.tag_;
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void Reservation::shrink_to(uint64_t bytes) {
  if (bytes >= bytes_) return;
  budget_->get().give_back(tag_, bytes_ - bytes);
  bytes_ = bytes;
}

void Reservation::absorb(Reservation&& other) {
  if (bytes_ == 0) return void(*this = std::move(other));
  FRUGAL_CHECK(other.bytes_ == 0 || (&other.budget_->get() == &budget_->get() && other.tag_ == tag_));
  bytes_ += std::exchange(other.bytes_, 0);
}

Budget::Budget(uint64_t limit_bytes) : Budget(BudgetLimits{limit_bytes, {}, {}, {}}) {}

Budget::Budget(const BudgetLimits& limits)
    : limits_(limits), tier_(limits.tier.empty() ? MetricLabels() : MetricLabels{{"tier", limits.tier}}) {
  metric_registry().add(*this);
}

Budget::Budget(Budget& host, const BudgetLimits& limits)
    : limits_(limits), tier_({{"tier", limits.tier}}), host_(host) {
  {
    const std::lock_guard lock(host.mutex_);
    host.devices_.push_back(*this);
  }
  metric_registry().add(*this);
}

Budget::~Budget() {
  metric_registry().remove(*this);
  if (!host_) return;
  Budget& host = *host_;
  const std::lock_guard lock(host.mutex_);
  std::erase_if(host.devices_, [this](const Budget& device) { return &device == this; });
}

Budget& Budget::unlimited() {
  static Budget budget;
  return budget;
}

void Budget::report(MetricSink& sink) const {
  std::array<const PagePool*, kMemoryTags> pools{};
  report_counts(sink, pools);
  for (int tag = 0; tag < kMemoryTags; ++tag)  // without mutex_: a growing pool holds its own lock and reserves here
    if (const PagePool* pool = pools[static_cast<size_t>(tag)]) report_pool(pool->stats(), label_of(tag, tier_), sink);
}

void Budget::report_counts(MetricSink& sink, std::array<const PagePool*, kMemoryTags>& pools) const {
  const std::lock_guard lock(mutex_);
  const auto figure = [](uint64_t count) { return static_cast<double>(count); };
  if (limited())
    sink.peak("frugal_budget_limit_bytes", "Limit of the reserved bytes", figure(limits_.total_bytes), tier_);
  sink.peak("frugal_budget_peak_bytes", "Peak of the reserved bytes", figure(peak_), tier_);
  sink.counter("frugal_budget_reclaimed_bytes_total", "Bytes that reclaimers released for other reservations",
               figure(reclaimed_), tier_);
  sink.counter("frugal_budget_refusals_total", "Reservations refused", figure(static_cast<uint64_t>(refusals_)), tier_);
  for (int tag = 0; tag < kMemoryTags; ++tag) {
    const auto i = static_cast<size_t>(tag);
    const MetricLabels labels = label_of(tag, tier_);
    pools[i] = pools_[i].get();
    if (peak_by_tag_[i] == 0) continue;
    sink.gauge("frugal_memory_bytes", "Reserved bytes, by tag", figure(used_[i]), labels);
    sink.peak("frugal_memory_peak_bytes", "Peak of the reserved bytes, by tag", figure(peak_by_tag_[i]), labels);
  }
}

PagePool& Budget::pool(MemoryTag tag) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<PagePool>& pool = pools_[static_cast<size_t>(tag)];
  if (!pool) pool = std::make_unique<PagePool>(tag, *this);
  return *pool;
}

uint64_t Budget::free_bytes(MemoryTag tag) const {
  constexpr uint64_t kUnlimited = ~uint64_t(0);
  const auto left = [](uint64_t limit, uint64_t used) {
    return limit == 0 ? kUnlimited : limit - std::min(limit, used);
  };
  const auto i = static_cast<size_t>(tag);
  return std::min(left(limits_.total_bytes, total_), left(limits_.by_tag[i], used_[i]));
}

Reservation Budget::take(MemoryTag tag, uint64_t bytes) {
  total_ += bytes;
  used_[static_cast<size_t>(tag)] += bytes;
  peak_ = std::max(peak_, total_);
  uint64_t& tag_peak = peak_by_tag_[static_cast<size_t>(tag)];
  tag_peak = std::max(tag_peak, used_[static_cast<size_t>(tag)]);
  return Reservation(*this, tag, bytes);
}

// Asks reclaimers until `bytes` are free or none releases any more.
void Budget::reclaim_for(MemoryTag tag, uint64_t bytes) {
  for (uint64_t got = 1; got > 0;) {
    uint64_t missing = 0;
    {
      std::lock_guard lock(mutex_);
      const uint64_t free = free_bytes(tag);
      if (bytes <= free) return;
      missing = bytes - free;
    }
    got = ask_reclaimers(missing);
  }
}

uint64_t Budget::ask_reclaimers(uint64_t bytes) {
  std::lock_guard lock(reclaiming_);
  ++reclaiming_depth_;
  uint64_t got = 0;
  for (size_t i = 0; i < reclaimers_.size() && got < bytes; ++i)
    if (reclaimers_[i]) got += reclaimers_[i]->reclaim(bytes - got);
  {
    std::lock_guard counting(mutex_);
    reclaimed_ += got;
  }
  if (--reclaiming_depth_ == 0) std::erase(reclaimers_, nullptr);
  return got;
}

// Other processes may have taken what was available when the limit was set.
void Budget::require_available(MemoryTag tag, uint64_t bytes, std::string_view purpose) {
  if (!limits_.available_bytes || tag == MemoryTag::weights || tag == MemoryTag::index) return;
  // The kernel counts mapped weights as available; evicted, they would be read again at once.
  uint64_t mapped_bytes = 0;
  {
    std::lock_guard lock(mutex_);
    unchecked_ += bytes;
    if (unchecked_ < kAskEveryBytes) return;
    unchecked_ = 0;
    mapped_bytes = used_[static_cast<size_t>(MemoryTag::weights)];
  }
  const auto left = [&] {
    const uint64_t available = limits_.available_bytes();
    return available - std::min(available, mapped_bytes + kSpareBytes);
  };
  if (left() >= bytes) return;
  ask_reclaimers(bytes);
  const uint64_t now = left();
  if (now >= bytes) return;
  {
    std::lock_guard lock(mutex_);
    ++refusals_;
  }
  throw Error(Code::over_budget, fmt::format("{} needs {}, and the machine or its cgroup has {} left", purpose,
                                             format_bytes(bytes), format_bytes(now)))
      .hint("other processes use the rest: wait for them, or reduce this one (--set generate.kv_dtype=int8)");
}

Reservation Budget::reserve(MemoryTag tag, uint64_t bytes, std::string_view purpose) {
  require_available(tag, bytes, purpose);
  reclaim_for(tag, bytes);
  std::lock_guard lock(mutex_);
  if (bytes <= free_bytes(tag)) return take(tag, bytes);
  refuse(tag, bytes, purpose);
}

Reservation Budget::reserve_up_to(MemoryTag tag, uint64_t bytes, Reclaim reclaim) {
  if (reclaim == Reclaim::yes) reclaim_for(tag, bytes);
  std::lock_guard lock(mutex_);
  return take(tag, std::min(bytes, free_bytes(tag)));
}

void Budget::refuse(MemoryTag tag, uint64_t bytes, std::string_view purpose) {
  ++refusals_;
  const auto i = static_cast<size_t>(tag);
  const uint64_t tag_limit = limits_.by_tag[i], total_limit = limits_.total_bytes;
  const bool by_tag = tag_limit != 0 && (tag_limit < used_[i] || bytes > tag_limit - used_[i]);
  const uint64_t used = by_tag ? used_[i] : total_, limit = by_tag ? tag_limit : total_limit;
  std::string flag = limits_.tier.empty() ? "--memory-budget " : fmt::format("--{}-memory-budget ", limits_.tier);
  if (by_tag) flag = fmt::format("--set memory.limits.{}=", to_string(tag));
  throw Error(Code::over_budget,
              fmt::format("{} needs {}, {} of {} are in use{}", purpose, format_bytes(bytes), format_bytes(used),
                          format_bytes(limit), by_tag ? fmt::format(" for {}", to_string(tag)) : std::string()))
      .hint(fmt::format("it could run with {}{}MiB", flag,
                        (used + bytes + (used + bytes) / kSlackDivisor + kMiB - 1) / kMiB));
}

void Budget::add(Reclaimer& reclaimer) {
  std::lock_guard lock(reclaiming_);
  reclaimers_.push_back(&reclaimer);
}

void Budget::remove(Reclaimer& reclaimer) {
  std::lock_guard lock(reclaiming_);
  std::replace(reclaimers_.begin(), reclaimers_.end(), &reclaimer, static_cast<Reclaimer*>(nullptr));
  if (reclaiming_depth_ == 0) std::erase(reclaimers_, nullptr);
}

void Budget::give_back(MemoryTag tag, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  total_ -= bytes;
  used_[static_cast<size_t>(tag)] -= bytes;
}

std::vector<Budget::Device> Budget::devices() const {
  const std::lock_guard lock(mutex_);
  std::vector<Device> devices;
  for (const Budget& device : devices_)
    devices.push_back({device.limits_.tier, device.limit_bytes(), device.used_bytes()});
  return devices;
}

uint64_t Budget::used_bytes() const {
  std::lock_guard lock(mutex_);
  return total_;
}

uint64_t Budget::used_bytes(MemoryTag tag) const {
  std::lock_guard lock(mutex_);
  return used_[static_cast<size_t>(tag)];
}

uint64_t Budget::peak_bytes() const {
  std::lock_guard lock(mutex_);
  return peak_;
}

}  // namespace frugal
