// Addresses without memory, reserved from the kernel by the gibibyte, and the pages that become usable in them.
// Decides where memory lies, not whether there is any: the owner reserves pages in its Budget before it commits them.
// Not thread-safe: PagePool holds its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace frugal {

struct AddressStats {
  uint64_t committed_bytes = 0;
  uint64_t peak_committed_bytes = 0;
  uint64_t address_bytes = 0;           // reserved addresses
  uint64_t free_address_bytes = 0;      // not taken
  uint64_t largest_free_run_bytes = 0;  // the largest contiguous part of them
};

class AddressSpace {
 public:
  /// Larger than any processor addresses; sums of a few such sizes do not wrap.
  static constexpr uint64_t kMaxBytes = uint64_t(1) << 56;
  static uint64_t page_bytes();

  /// `name` stands in errors: "weights".
  explicit AddressSpace(std::string_view name) : name_(name) {}
  /// Unmaps everything, committed or not.
  ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  /// `bytes` of addresses, a multiple of the page size, none of which may be touched yet. Throws Error(over_budget)
  /// where the system has no more (ulimit -v).
  std::byte* take(uint64_t bytes, uint64_t alignment);
  /// Their pages must be decommitted.
  void give_back(std::byte* begin, uint64_t bytes);

  /// Makes whole pages usable; they read as zero. False where the system has no memory.
  bool commit(std::byte* begin, uint64_t bytes);
  /// Returns the pages to the system: the `committed_bytes` that are committed in this range.
  void decommit(std::byte* begin, uint64_t bytes, uint64_t committed_bytes);

  AddressStats stats() const;

  /// Error(over_budget): the system, not the budget, refuses `bytes`.
  static Error no_memory(uint64_t bytes, std::string_view purpose);
  Error no_addresses(uint64_t bytes) const;

 private:
  void reserve_segment(uint64_t bytes);

  std::string name_;
  std::map<std::byte*, uint64_t> segments_, free_;  // by address
  AddressStats stats_;                              // all but the free runs
};

}  // namespace frugal
