// Working memory of one forward pass: a bump allocator that grows where it lies and is reset, never freed piecemeal.
// Architectures nest their scopes so that its peak is what must be live at once (measure/profile/lifetime_plan.h
// measures it). Not thread-safe: one forward owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "memory/budget.h"
#include "memory/growing_arrays.h"
#include "memory/page_pool.h"

namespace frugal {

class Arena {
 public:
  static constexpr uint64_t kAlignment = PagePool::kAlignment;

  /// `budget` may be null; otherwise pages are reserved there first, as activations.
  explicit Arena(Budget* budget = nullptr) : budget_(budget) {}

  /// `bytes` of uninitialised memory, aligned to kAlignment, valid until reset() to an earlier mark. Throws
  /// Error(over_budget) and stays usable.
  std::byte* allocate(uint64_t bytes);

  /// Position to come back to: everything allocated after mark() is given up by reset(mark).
  struct Mark {
    size_t block = 0;
    uint64_t offset = 0;
  };
  Mark mark() const { return {block_, offset_}; }
  /// Never throws: scopes end with it. Pages stay for the next pass, unless the one that ends here used less than half
  /// of them: those of a prompt go back to the system when the first token of its answer is written.
  void reset(Mark mark) noexcept;
  void reset() noexcept { reset(Mark()); }
  /// Pages that may be touched, and are reserved.
  uint64_t capacity_bytes() const;
  /// Gives all memory back to the system.
  void clear();

 private:
  // For AllocationRecorder, while one is active.
  struct Recorded {
    Mark at;
    uint64_t id;
  };
  void add_block(uint64_t bytes);
  void end_pass() noexcept;
  void record(uint64_t bytes);
  void forget_after(Mark mark) noexcept;

  Budget* budget_;
  std::vector<GrowingArrays> blocks_;  // of one array each; hardly ever more than one of them
  size_t block_ = 0;
  uint64_t offset_ = 0;
  uint64_t pass_bytes_ = 0;  // the furthest offset since the arena was empty
  std::vector<Recorded> recorded_;
};

}  // namespace frugal
