// Memory by the page, one pool for each tag of a Budget. Pages are reserved in the budget before they become usable,
// and return to the system with the last block in them, which a heap does not promise. For memory that is counted:
// key-value caches, activations, blocks of files, weights. Strings and nodes stay with malloc, which is faster for them
// (docs/design/0021). Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "memory/address_space.h"
#include "memory/budget.h"

namespace frugal {

struct PoolStats {
  uint64_t used_bytes = 0;       // allocated, as the callers asked
  uint64_t held_bytes = 0;       // the same with size classes, whole pages and guards
  uint64_t committed_bytes = 0;  // usable pages, all of them reserved in the budget
  uint64_t peak_committed_bytes = 0;
  uint64_t address_bytes = 0;           // reserved addresses: no memory
  uint64_t free_address_bytes = 0;      // not taken
  uint64_t largest_free_run_bytes = 0;  // the largest contiguous part of them
  int64_t blocks = 0;                   // live blocks and growing arrays
  int64_t allocations = 0;              // blocks and growing arrays ever made
  double mean_residency_ms = 0;         // of those that were released

  /// Shares of the committed bytes; 0 where there are none.
  double utilisation() const;             // used
  double internal_fragmentation() const;  // held and not used
  double external_fragmentation() const;  // not held: free blocks between used ones
};

class PagePool {
 public:
  static constexpr uint64_t kAlignment = 64;  // of every block: a cache line, and a whole AVX-512 vector
  /// Blocks up to this size come in classes, four to a doubling, from slabs of 64 KiB; larger ones are runs of pages.
  static constexpr uint64_t kLargestClassBytes = 16 * 1024;

  /// Counts in `budget`, which must outlive it (Budget::pool has one for each tag). `guards`: bytes around each block
  /// hold a pattern that is checked when the block is released; -DFRUGAL_MEMORY_GUARDS=ON (preset dev) has them always.
  /// Under AddressSanitizer, guards and released blocks are poisoned.
  PagePool(MemoryTag tag, Budget& budget, bool guards = false);
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  /// `bytes` of uninitialised memory. Throws Error(over_budget) naming `purpose`, also if the system has no memory or
  /// the size is larger than any machine's.
  std::byte* allocate(uint64_t bytes, std::string_view purpose);
  /// Throws Error(internal) if no live block starts at this address. Throws it too, and releases the block all the
  /// same, if guards show that it was written out of bounds.
  void deallocate(std::byte* block);

  /// Releases the block, and logs the error that deallocate() throws.
  struct Return {
    PagePool* pool = nullptr;
    void operator()(std::byte* block) const noexcept;
  };
  using Block = std::unique_ptr<std::byte, Return>;
  Block make(uint64_t bytes, std::string_view purpose) { return Block(allocate(bytes, purpose), Return{this}); }

  PoolStats stats() const;

  // ---- pages for an owner that commits them itself: GrowingArrays

  /// A stretch of addresses, counted as one block.
  struct Addresses {
    std::byte* begin = nullptr;
    uint64_t bytes = 0;
    int64_t born_ns = 0;
  };
  /// Pages from the start of a part of such a stretch on.
  struct Region {
    std::byte* begin = nullptr;
    uint64_t used_bytes = 0;
    uint64_t committed_bytes = 0;  // whole pages
  };
  /// bytes: a multiple of the page size. Throws Error(over_budget) if the system lacks the addresses.
  Addresses take_addresses(uint64_t bytes);
  /// `regions`: the sums over all regions in them, whose pages go too.
  void give_addresses(const Addresses& addresses, const Region& regions) noexcept;
  /// Asks the budget for pages, before grow() commits them.
  Reservation reserve(uint64_t bytes, std::string_view purpose) { return budget_.reserve(tag_, bytes, purpose); }
  /// Makes the first `bytes` of the region usable. False if the system has no memory.
  bool grow(Region& region, uint64_t bytes);
  /// Returns pages beyond the first `bytes` to the system. False if there are none.
  bool shrink(Region& region, uint64_t bytes) noexcept;
  /// Where other processes share the machine: touches committed pages by the MiB, and asks the budget before each
  /// whether the machine still has them, so that two processes that were granted memory at the same moment see each
  /// other. Throws Error(over_budget).
  void populate(std::byte* begin, uint64_t bytes, std::string_view purpose);
  Error no_addresses(uint64_t bytes) const { return space_.no_addresses(bytes); }

 private:
  struct Slot {
    uint64_t bytes = 0;  // as asked for; 0: free
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

  std::byte* allocate_small(uint64_t bytes, std::string_view purpose);
  std::byte* allocate_run(uint64_t bytes, std::string_view purpose);
  Slab& slab_with_room(Lock& lock, uint64_t class_bytes, std::string_view purpose);
  Slab* empty_slab(uint64_t class_bytes);
  // Whether no byte was written out of bounds.
  bool free_run(RunMap::iterator at);
  bool free_small(std::byte* block, Slab& slab);
  void retire(Slab& slab);
  bool guards_intact(const std::byte* begin, uint64_t held_bytes, uint64_t bytes) const;
  void set_guards(std::byte* begin, uint64_t held_bytes, uint64_t bytes) const;
  void count_allocation(Slot& slot, uint64_t bytes, uint64_t held_bytes);
  void count_release(Slot& slot, uint64_t held_bytes);

  MemoryTag tag_;
  Budget& budget_;
  uint64_t guard_bytes_;
  mutable std::mutex mutex_;
  AddressSpace space_;
  RunMap runs_;
  std::unordered_map<uintptr_t, std::unique_ptr<Slab>> slabs_;  // by address / slab size
  std::unordered_map<uint64_t, std::vector<Slab*>> with_room_;  // by class
  std::vector<Slab*> empty_;                                    // a few without blocks, kept for reuse
  PoolStats stats_;                                             // all but the addresses
  double residency_ms_ = 0;
};

}  // namespace frugal
