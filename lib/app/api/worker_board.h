// What worker processes share: a slot of text for each, in which it tells of itself so that any of them can answer for
// all (worker_states.h), and what they ask of each other (worker_orders.h). It is mapped before the workers are forked.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace frugal::api {

/// Counts of what has been asked of all workers.
struct WorkerOrders {
  std::atomic<uint64_t> unloads{0}, keep_alives{0};
  std::atomic<int64_t> keep_alive_ms{0};  // of the last of keep_alives
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "processes share them");

class WorkerBoard {
 public:
  /// Of one slot; a longer text is not posted.
  static constexpr size_t kMaxText = size_t(1) << 16;

  /// Pages are used only where something is posted. Throws Error(io).
  explicit WorkerBoard(size_t workers);
  WorkerBoard(const WorkerBoard&) = delete;
  WorkerBoard& operator=(const WorkerBoard&) = delete;
  ~WorkerBoard();

  size_t workers() const { return workers_; }
  WorkerOrders& orders() const { return *orders_; }
  /// Replaces the text of a worker. Returns false if it is too long.
  bool post(size_t worker, std::string_view text);
  /// The last text of a worker; nullopt: it has posted none, or has died while it did.
  std::optional<std::string> read(size_t worker) const;

 private:
  struct Slot;
  size_t mapped_bytes() const;

  const size_t workers_;
  Slot* slots_;
  WorkerOrders* orders_;
};

}  // namespace frugal::api
