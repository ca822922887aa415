// Limits what this process holds resident for its work, mapped pages included: bytes are reserved here before they are
// used. Before it refuses a reservation, a budget asks its reclaimers, which hold what can be read again, to release
// some. A refusal is an error that gives the need, the limit and a limit that would do. Not an allocator: it counts,
// and owns the pools that allocate (memory/page_pool.h). Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/metrics.h"

namespace frugal {

enum class MemoryTag { weights, kv_cache, activations, index, io };
constexpr int kMemoryTags = 5;
std::string_view to_string(MemoryTag tag);

class Budget;
class PagePool;

/// Bytes reserved in a budget; released when it is destroyed. One of 0 bytes belongs to no budget.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { release(); }
  uint64_t bytes() const { return bytes_; }
  void release() { shrink_to(0); }
  /// Releases all but `bytes`; no effect if it holds no more.
  void shrink_to(uint64_t bytes);
  /// Takes over the bytes of `other`, which must be of the same budget and tag.
  void absorb(Reservation&& other);

 private:
  friend class Budget;
  using Owner = std::optional<std::reference_wrapper<Budget>>;
  Reservation(Budget& budget, MemoryTag tag, uint64_t bytes) : budget_(budget), tag_(tag), bytes_(bytes) {}
  Owner budget_;  // set whenever bytes_ > 0
  MemoryTag tag_ = MemoryTag::io;
  uint64_t bytes_ = 0;
};

/// Holds bytes of a budget that can be released and read again: pages of weights, caches.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  /// Releases about `bytes` of its reservation, or what it can; returns how many. Called without the budget's lock,
  /// from any thread, perhaps during a reservation of its own.
  virtual uint64_t reclaim(uint64_t bytes) = 0;
};

struct BudgetLimits {
  uint64_t total_bytes = 0;                    // 0: no limit
  std::array<uint64_t, kMemoryTags> by_tag{};  // 0: none but the total
  /// Bytes that the machine or the cgroup has available now, where other processes share it; empty: not asked. Asked
  /// every few MiB, and not for weights and index, which the kernel can evict and read again.
  std::function<uint64_t()> available_bytes;
  std::string tier;  // label in metrics and flags: "gpu"; empty: the host
};

class Budget : public MetricSource {
 public:
  explicit Budget(uint64_t limit_bytes = 0);
  explicit Budget(const BudgetLimits& limits);
  /// A device's budget. `host` lists it while it lives, and counts none of its bytes. Borrows `host`.
  Budget(Budget& host, const BudgetLimits& limits);
  ~Budget() override;
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// The process's budget without a limit: for callers that count memory and refuse none.
  static Budget& unlimited();

  /// Throws Error(over_budget) naming `purpose`, the need, the limit and a limit that would do.
  Reservation reserve(MemoryTag tag, uint64_t bytes, std::string_view purpose);
  /// As much of `bytes` as is free, perhaps 0. Reclaim::yes: asks reclaimers first.
  enum class Reclaim { no, yes };
  Reservation reserve_up_to(MemoryTag tag, uint64_t bytes, Reclaim reclaim);

  /// Reclaimers are asked in the order in which they were added. Borrowed until remove().
  void add(Reclaimer& reclaimer);
  void remove(Reclaimer& reclaimer);

  /// Memory of that tag, reserved here page by page.
  PagePool& pool(MemoryTag tag);

  /// Throws Error(over_budget) naming `purpose` if the machine no longer has `bytes` available; asks reclaimers first.
  /// reserve() checks the whole of a reservation; large ones are checked again while they are touched.
  void require_available(MemoryTag tag, uint64_t bytes, std::string_view purpose);
  bool shares_the_machine() const { return limits_.available_bytes != nullptr; }

  bool limited() const { return limits_.total_bytes != 0; }
  uint64_t limit_bytes() const { return limits_.total_bytes; }
  uint64_t used_bytes() const;
  uint64_t used_bytes(MemoryTag tag) const;
  uint64_t peak_bytes() const;
  void report(MetricSink& sink) const override;

  struct Device {
    std::string tier;
    uint64_t limit_bytes = 0;  // 0: none
    uint64_t used_bytes = 0;
  };
  /// Of the budgets that name this one as their host, in the order in which they were made.
  std::vector<Device> devices() const;

 private:
  friend class Reservation;
  void report_counts(MetricSink& sink, std::array<const PagePool*, kMemoryTags>& pools) const;
  uint64_t free_bytes(MemoryTag tag) const;  // mutex_ held
  Reservation take(MemoryTag tag, uint64_t bytes);
  void reclaim_for(MemoryTag tag, uint64_t bytes);
  uint64_t ask_reclaimers(uint64_t bytes);
  [[noreturn]] void refuse(MemoryTag tag, uint64_t bytes, std::string_view purpose);
  void give_back(MemoryTag tag, uint64_t bytes);

  const BudgetLimits limits_;
  const MetricLabels tier_;  // a label, or none
  const std::optional<std::reference_wrapper<Budget>> host_;
  mutable std::mutex mutex_;
  std::array<uint64_t, kMemoryTags> used_{}, peak_by_tag_{};
  uint64_t total_ = 0;
  uint64_t peak_ = 0;
  uint64_t reclaimed_ = 0;
  int64_t refusals_ = 0;
  uint64_t unchecked_ = 0;  // reserved since the system was last asked
  std::vector<std::reference_wrapper<const Budget>> devices_;
  // Held while reclaimers are called, so that none is destroyed under the caller. Recursive: to release an object may
  // destroy another reclaimer, or reserve.
  std::recursive_mutex reclaiming_;
  std::vector<Reclaimer*> reclaimers_;  // null: removed while they were called
  int reclaiming_depth_ = 0;
  std::array<std::unique_ptr<PagePool>, kMemoryTags> pools_;  // made on first use
};

}  // namespace frugal
