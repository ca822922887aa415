// Arrays that grow side by side at their ends, each contiguous and never moved: a key-value cache, an arena.
// Addresses for an array's capacity are taken at once, pages as it grows. Touching memory beyond an array's pages
// faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "memory/budget.h"
#include "memory/page_pool.h"

namespace frugal {

/// Not thread-safe.
class GrowingArrays {
 public:
  GrowingArrays() = default;
  /// Borrows `pool`. capacities: of each array, in bytes. Throws Error(over_budget) if the system lacks the addresses.
  GrowingArrays(PagePool& pool, const std::vector<uint64_t>& capacities);
  GrowingArrays(GrowingArrays&& other) noexcept { *this = std::move(other); }
  GrowingArrays& operator=(GrowingArrays&& other) noexcept;
  ~GrowingArrays() { release(); }

  /// Makes the first bytes[i] of array i usable; no array shrinks. The new pages of all arrays are reserved together.
  /// Throws Error(over_budget) naming `purpose`, and leaves the arrays as they were.
  void grow_to(std::span<const uint64_t> bytes, std::string_view purpose);
  void grow_to(uint64_t bytes, std::string_view purpose) { grow_to(std::span(&bytes, 1), purpose); }
  /// Throws as grow_to(bytes) would now, and grows nothing.
  void check_room(std::span<const uint64_t> bytes, std::string_view purpose) const;
  /// Returns the pages of `array` beyond its first `bytes` to the system; they may not be touched any more.
  void shrink_to(size_t array, uint64_t bytes) noexcept;
  std::byte* data(size_t array) const { return arrays_[array].pages.begin; }
  uint64_t capacity_bytes(size_t array) const { return arrays_[array].capacity_bytes; }
  /// In whole pages, of all arrays.
  uint64_t committed_bytes() const;

 private:
  struct Array {
    PagePool::Region pages;
    uint64_t capacity_bytes = 0;
  };
  uint64_t missing_bytes(std::span<const uint64_t> bytes) const;
  void release() noexcept;

  PagePool* pool_ = nullptr;
  PagePool::Addresses addresses_;
  std::vector<Array> arrays_;
  Reservation reservation_;
};

}  // namespace frugal
