// What each worker process tells of itself, in memory that all of them share: a slot of text for each. It is mapped
// before the workers are forked, so that any of them can answer for all (worker_states.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace frugal::api {

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
  /// Replaces the text of a worker. Returns false if it is too long.
  bool post(size_t worker, std::string_view text);
  /// The last text of a worker; nullopt: it has posted none, or has died while it did.
  std::optional<std::string> read(size_t worker) const;

 private:
  struct Slot;
  const size_t workers_;
  Slot* slots_;
};

}  // namespace frugal::api
