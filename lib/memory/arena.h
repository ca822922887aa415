// Working memory of one forward pass: a bump allocator that grows once and is reset, never freed piecemeal.
// Not thread-safe: one forward owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "memory/budget.h"

namespace frugal {

class Arena {
 public:
  static constexpr uint64_t kAlignment = 64;  // a cache line, and a whole AVX-512 vector

  /// `budget` may be null; otherwise every block is reserved there first, as activations.
  explicit Arena(Budget* budget = nullptr) : budget_(budget) {}

  /// `bytes` of uninitialised memory, aligned to kAlignment, valid until reset() to an earlier mark.
  std::byte* allocate(uint64_t bytes);
  template <typename T>
  std::span<T> allocate_array(uint64_t count) {
    FRUGAL_CHECK(count < (uint64_t(1) << 48) / sizeof(T));
    return {reinterpret_cast<T*>(allocate(count * sizeof(T))), count};
  }

  /// Position to come back to: everything allocated after mark() is given up by reset(mark).
  struct Mark {
    size_t block = 0;
    uint64_t offset = 0;
  };
  Mark mark() const { return {block_, offset_}; }
  /// Rewinding to the very start with several blocks gives them up for one that the next allocation makes, so that the
  /// next pass bumps through one block. Never throws: scopes end with it.
  void reset(Mark mark) noexcept;
  void reset() noexcept { reset(Mark()); }
  uint64_t capacity_bytes() const;
  /// Gives all memory back to the system.
  void clear();

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  struct Block {
    std::unique_ptr<std::byte, Free> data;
    uint64_t bytes = 0;
    Reservation reservation;
  };
  void grow(uint64_t bytes);

  Budget* budget_;
  std::vector<Block> blocks_;
  size_t block_ = 0;
  uint64_t offset_ = 0;
  uint64_t fused_bytes_ = 0;  // what the blocks given up by reset() held together: the least the next one holds
};

}  // namespace frugal
