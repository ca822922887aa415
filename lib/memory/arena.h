// Working memory of one forward pass: a bump allocator that grows in place and is reset to a mark, never freed
// piecemeal. Architectures nest their scopes so that its peak is close to the peak of live tensors (measured by
// measure/profile/lifetime_plan.h). Not thread-safe: one forward pass owns it.
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

  /// Reserves its pages in `budget` as activations. Borrows it.
  explicit Arena(Budget& budget) : budget_(budget) {}

  /// `bytes` of uninitialised memory, aligned to kAlignment, valid until reset() to an earlier mark. Throws
  /// Error(over_budget) and stays usable.
  std::byte* allocate(uint64_t bytes);

  /// A position: reset(mark) releases everything allocated after mark().
  struct Mark {
    size_t block = 0;
    uint64_t offset = 0;
  };
  Mark mark() const { return {block_, offset_}; }
  /// Never throws: destructors of scopes call it. Pages stay for the next pass, unless the one that ends here used less
  /// than half of them: the pages of a prompt return to the system after the first token of its answer.
  void reset(Mark mark) noexcept;
  void reset() noexcept { reset(Mark()); }
  /// Usable pages, all reserved.
  uint64_t capacity_bytes() const;
  /// Returns all memory to the system.
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

  Budget& budget_;
  std::vector<GrowingArrays> blocks_;  // one array each; rarely more than one
  size_t block_ = 0;
  uint64_t offset_ = 0;
  uint64_t pass_bytes_ = 0;  // the furthest offset since the arena was empty
  std::vector<Recorded> recorded_;
};

}  // namespace frugal
