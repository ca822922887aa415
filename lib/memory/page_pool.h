// Memory by the page, one pool for each kind of use: addresses are reserved by the gibibyte, pages become usable after
// the budget was asked, and go back to the system when nobody holds them, which a heap does not promise.
// For what is counted (key-value caches, activations, blocks of files, weights), not for strings and nodes: those are
// malloc's, which is faster for them (docs/design/0021). Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "memory/budget.h"

namespace frugal {

struct PoolStats {
  uint64_t used_bytes = 0;       // asked for and not given back
  uint64_t held_bytes = 0;       // what that takes: size classes, whole pages, guards
  uint64_t committed_bytes = 0;  // pages that may be touched, all of them reserved in the budget
  uint64_t peak_committed_bytes = 0;
  uint64_t address_bytes = 0;           // reserved addresses: no memory
  uint64_t free_address_bytes = 0;      // of them, in no run
  uint64_t largest_free_run_bytes = 0;  // of those, in one piece
  int64_t blocks = 0;                   // blocks and arrays that live
  int64_t allocations = 0;              // blocks and arrays that were ever made
  double mean_residency_ms = 0;         // of blocks and arrays that are gone

  /// Shares of what is committed; 0 where nothing is.
  double utilisation() const;             // used
  double internal_fragmentation() const;  // held and not used
  double external_fragmentation() const;  // not held: free blocks between used ones
};

class PagePool {
 public:
  static constexpr uint64_t kAlignment = 64;  // of every block: a cache line, and a whole AVX-512 vector
  /// Blocks up to here come in classes, four to a doubling, from slabs of 64 KiB; larger ones are runs of pages.
  static constexpr uint64_t kLargestClassBytes = 16 * 1024;

  /// Counts in `budget`, which it must not outlive (Budget::pool has one for each tag). `guards`: bytes around each
  /// block are filled with a pattern that is checked when the block comes back; -DFRUGAL_MEMORY_GUARDS=ON (preset dev)
  /// has them always. Under AddressSanitizer nobody may touch them, nor what was given back.
  PagePool(MemoryTag tag, Budget& budget, bool guards = false);
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  /// `bytes` of uninitialised memory. Throws Error(over_budget) naming `what`, also where the system has no memory or
  /// the size is beyond any machine's.
  std::byte* allocate(uint64_t bytes, std::string_view what);
  /// Throws Error(internal) for what is no block of this pool, was given back before, or (with guards) was written past
  /// an end, which is given back all the same.
  void deallocate(std::byte* block);

  /// Gives the block back; what deallocate() throws is logged as an error.
  struct Return {
    PagePool* pool = nullptr;
    void operator()(std::byte* block) const noexcept;
  };
  using Block = std::unique_ptr<std::byte, Return>;
  Block make(uint64_t bytes, std::string_view what) { return Block(allocate(bytes, what), Return{this}); }

  PoolStats stats() const;

 private:
  friend class GrowingArrays;

  struct Slot {
    uint64_t bytes = 0;  // asked for; 0: free
    int64_t born_ns = 0;
    uint64_t recorded = 0;
  };
  // A run of pages that is one block.
  struct Run {
    std::byte* begin = nullptr;
    uint64_t run_bytes = 0;
    Slot slot;
    Reservation reservation;
  };
  // A run of pages cut into blocks of one class.
  struct Slab {
    std::byte* begin = nullptr;
    uint64_t class_bytes = 0;
    std::vector<Slot> slots;
    std::vector<uint16_t> free;  // taken from the back
    Reservation reservation;

    void cut(uint64_t into_bytes);
  };
  using Lock = std::unique_lock<std::mutex>;
  using RunMap = std::unordered_map<std::byte*, Run>;  // by block

  std::byte* allocate_small(uint64_t bytes, std::string_view what);
  std::byte* allocate_run(uint64_t bytes, std::string_view what);
  Slab& slab_with_room(Lock& lock, uint64_t class_bytes, std::string_view what);
  Slab* empty_slab(uint64_t class_bytes);
  // Whether it came back without a byte written past its ends.
  bool free_run(RunMap::iterator at);
  bool free_small(std::byte* block, Slab& slab);
  void retire(Slab& slab);
  bool guards_intact(const std::byte* begin, uint64_t held_bytes, uint64_t bytes) const;
  void set_guards(std::byte* begin, uint64_t held_bytes, uint64_t bytes) const;
  void note_birth(Slot& slot, uint64_t bytes, uint64_t held_bytes);
  void note_death(Slot& slot, uint64_t held_bytes);

  // Addresses: whole pages, unusable until commit(), given back with their memory. The mutex is held.
  std::byte* take_addresses(uint64_t bytes, uint64_t alignment);
  void give_addresses(std::byte* begin, uint64_t bytes);
  void reserve_segment(uint64_t bytes);
  // Counts too. False where the system has no memory.
  bool commit(std::byte* begin, uint64_t bytes);
  // Where others share the machine, touches what was committed a piece at a time and looks before each at what is left,
  // so that those who were told yes at the same moment see each other. The mutex is not held. Throws
  // Error(over_budget).
  void populate(std::byte* begin, uint64_t bytes, std::string_view what);
  void decommit(std::byte* begin, uint64_t bytes, uint64_t committed_bytes);

  MemoryTag tag_;
  Budget& budget_;
  uint64_t guard_bytes_;
  mutable std::mutex mutex_;
  std::map<std::byte*, uint64_t> segments_, free_;  // by address
  RunMap runs_;
  std::unordered_map<uintptr_t, std::unique_ptr<Slab>> slabs_;  // by address / slab size
  std::unordered_map<uint64_t, std::vector<Slab*>> with_room_;  // by class
  std::vector<Slab*> empty_;                                    // a few without blocks are kept
  PoolStats stats_;
  double residency_ms_ = 0;
};

/// Arrays that grow side by side at their ends, each contiguous and never moved: addresses for their capacity are taken
/// at once, pages as they grow. What is beyond an array's pages cannot be touched. Not thread-safe.
class GrowingArrays {
 public:
  GrowingArrays() = default;
  /// Borrows `pool`. capacities: of each array, in bytes. Throws Error(over_budget) where there are not so many
  /// addresses.
  GrowingArrays(PagePool& pool, std::vector<uint64_t> capacities);
  GrowingArrays(GrowingArrays&& other) noexcept { *this = std::move(other); }
  GrowingArrays& operator=(GrowingArrays&& other) noexcept;
  ~GrowingArrays() { release(); }

  /// Afterwards the first bytes[i] of array i may be used, as may whatever could be before. The new pages of all arrays
  /// are reserved together. Throws Error(over_budget) naming `what`; whatever could be used before still can.
  void grow_to(std::span<const uint64_t> bytes, std::string_view what);
  void grow_to(uint64_t bytes, std::string_view what) { grow_to(std::span(&bytes, 1), what); }
  /// Throws as grow_to(bytes) would now, and grows nothing.
  void check_room(std::span<const uint64_t> bytes, std::string_view what) const;
  /// Pages of `array` beyond its first `bytes` go back to the system, and may not be touched any more.
  void shrink_to(size_t array, uint64_t bytes) noexcept;
  std::byte* data(size_t array) const { return arrays_[array].begin; }
  uint64_t capacity_bytes(size_t array) const { return arrays_[array].capacity_bytes; }
  /// In whole pages, of all arrays.
  uint64_t committed_bytes() const;

 private:
  struct Array {
    std::byte* begin = nullptr;
    uint64_t capacity_bytes = 0, used_bytes = 0, committed_bytes = 0;
  };
  uint64_t missing_bytes(std::span<const uint64_t> bytes) const;
  bool commit(Array& array, uint64_t bytes);
  void release() noexcept;

  PagePool* pool_ = nullptr;
  std::span<std::byte> addresses_;
  std::vector<Array> arrays_;
  Reservation reservation_;
  int64_t born_ns_ = 0;
};

/// The pool of `tag` in `budget`, or in one without a limit that the process has for those who have none.
PagePool& pool_of(MemoryTag tag, Budget* budget);

}  // namespace frugal
