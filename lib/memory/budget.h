// Bytes are asked for before they are used: what the process holds resident for its work, mapped pages included. Who
// holds what could be read again (a Reclaimer) is asked to let go before anything is refused. A refusal is an error
// that says what was needed, what the limit is and what would do. Not an allocator: it counts. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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

/// Bytes held in a budget; given back when destroyed.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { release(); }
  uint64_t bytes() const { return bytes_; }
  void release();
  /// Gives back all but `bytes`; no effect if it holds no more.
  void shrink_to(uint64_t bytes);
  /// Takes over what `other`, of the same budget and tag, holds.
  void absorb(Reservation&& other);

 private:
  friend class Budget;
  Reservation(Budget* budget, MemoryTag tag, uint64_t bytes) : budget_(budget), tag_(tag), bytes_(bytes) {}
  Budget* budget_ = nullptr;
  MemoryTag tag_ = MemoryTag::io;
  uint64_t bytes_ = 0;
};

/// Holds bytes of a budget that it can do without: pages of weights that can be read again, caches.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  /// Gives back about `bytes` of its reservation, or what it can; returns how many. Called without the budget's lock,
  /// from any thread, perhaps by a reservation of its own.
  virtual uint64_t reclaim(uint64_t bytes) = 0;
};

struct BudgetLimits {
  uint64_t total_bytes = 0;                    // 0: no limit
  std::array<uint64_t, kMemoryTags> by_tag{};  // 0: none but the total
  /// What the machine or the cgroup has available now, where others share it; none: not asked. Asked every few MiB, and
  /// not for weights and index, which the kernel can read again.
  std::function<uint64_t()> available_bytes;
  std::string tier;  // whose memory it is, in metrics; empty: the host's
};

class Budget : public MetricSource {
 public:
  explicit Budget(uint64_t limit_bytes = 0);
  explicit Budget(const BudgetLimits& limits);
  ~Budget() override;
  /// The process's budget without a limit: for callers that count memory and refuse none.
  static Budget& unlimited();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Throws Error(over_budget) naming `what`, the need, the limit and what it could run with.
  Reservation reserve(MemoryTag tag, uint64_t bytes, std::string_view what);
  /// As much of `bytes` as there is, perhaps 0.
  enum class Ask { nobody, others };  // to let go
  Reservation reserve_up_to(MemoryTag tag, uint64_t bytes, Ask ask);

  /// Asked, from the first on, when something does not fit. Borrowed until remove().
  void add(Reclaimer& reclaimer);
  void remove(Reclaimer& reclaimer);

  /// Memory of that kind, reserved here page by page (memory/page_pool.h).
  PagePool& pool(MemoryTag tag);

  /// Throws Error(over_budget) naming `what` if others have taken what was available; asks those who can let go first.
  /// reserve() has done so for all of it; whoever touches much at once asks again on the way.
  void require_available(MemoryTag tag, uint64_t bytes, std::string_view what);
  bool shares_the_machine() const { return limits_.available_bytes != nullptr; }

  bool limited() const { return limits_.total_bytes != 0; }
  uint64_t limit_bytes() const { return limits_.total_bytes; }
  uint64_t used_bytes() const;
  uint64_t used_bytes(MemoryTag tag) const;
  uint64_t peak_bytes() const;
  void report(MetricSink& sink) const override;

 private:
  friend class Reservation;
  void report_counts(MetricSink& sink, std::array<const PagePool*, kMemoryTags>& pools) const;
  uint64_t free_bytes(MemoryTag tag) const;  // mutex_ held
  Reservation take(MemoryTag tag, uint64_t bytes);
  void reclaim_for(MemoryTag tag, uint64_t bytes);
  uint64_t ask_reclaimers(uint64_t bytes);
  [[noreturn]] void refuse(MemoryTag tag, uint64_t bytes, std::string_view what);
  void give_back(MemoryTag tag, uint64_t bytes);

  const BudgetLimits limits_;
  const MetricLabels tier_;  // a label, or none
  mutable std::mutex mutex_;
  std::array<uint64_t, kMemoryTags> used_{}, peak_by_tag_{};
  uint64_t total_ = 0;
  uint64_t peak_ = 0;
  uint64_t reclaimed_ = 0;
  int64_t refusals_ = 0;
  uint64_t unchecked_ = 0;  // reserved since the system was last asked
  // Held while reclaimers are called, so that none goes away under the caller; one that lets go of a thing may thereby
  // end another reclaimer, or itself ask.
  std::recursive_mutex reclaiming_;
  std::vector<Reclaimer*> reclaimers_;  // null: removed while they were called
  int reclaiming_depth_ = 0;
  std::array<std::unique_ptr<PagePool>, kMemoryTags> pools_;  // made when first asked for
};

}  // namespace frugal
