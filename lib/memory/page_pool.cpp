#include "memory/page_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "memory/allocation_trace.h"
#include "memory/poison.h"

// Why. A budget holds only if memory is asked for before it is taken, taken no earlier than it is used, and returned
// when its last user is done. A heap promises none of the three: it keeps freed blocks for later, and one live block
// pins the pages around it (docs/design/0021 has the measurements).
//
// Two kinds of blocks. A *run* is a block above 16 KiB: whole pages of its own, with one Reservation, returned to the
// system as soon as the block is released. A *slab* is 64 KiB at a multiple of 64 KiB, cut into blocks of one size
// class, with one Reservation for the whole; it is returned when its last block is. Classes are multiples of 64 bytes
// up to 256 and four to a doubling above, so a class is at most a fifth larger than the request. A released address
// finds its slab by division, its run in a map; every other address is an error.
//
// A few empty slabs are kept, and serve any class: otherwise the small blocks of each forward pass would fault the same
// pages in again. They stay reserved, so at most kKeptSlabs · 64 KiB of a pool are held for nothing.
//
// Lock order. The budget is asked without mutex_, because it may call a Reclaimer that releases blocks of this very
// pool. So the state may change while it is asked: slab_with_room() looks for a free slab, unlocks, reserves, locks,
// and then adds a new slab without a second look, at worst one too many. Budget::report reads stats() without the
// budget's lock, for the same reason.
//
// Granted is not yet touched. Where other processes share the machine, a page that was promised may be gone when it is
// written to; populate() takes the pages at once, a MiB at a time, and asks between. It runs without mutex_ and after
// the block is registered, so that a refusal releases the block in the ordinary way.
//
// Invariants, under mutex_: used <= held <= committed bytes; each committed page belongs to one run, slab or region,
// and is covered by that owner's Reservation; with_room_ lists exactly the slabs with a free and a used block, empty_
// those without a used one.
//
// Costs. A small block is a lock, two hash lookups and no system call; a new slab or run one mprotect, a release of the
// last block one mmap. Guards add 128 bytes to a block.

namespace frugal {
namespace {

constexpr uint64_t kSlabBytes = 64 * kKiB;
// Empty slabs that are kept.
constexpr size_t kKeptSlabs = 4;
// Bytes touched between two looks at the memory that the machine has left.
constexpr uint64_t kPopulateBytes = kMiB;
#ifdef FRUGAL_MEMORY_GUARDS
constexpr bool kAlwaysGuarded = true;
#else
constexpr bool kAlwaysGuarded = false;
#endif
constexpr uint64_t kGuardBytes = 64;  // on each side, so that blocks stay aligned
constexpr std::byte kGuard{0xA7};

int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

uint64_t class_of(uint64_t bytes) {
  if (bytes <= 4 * PagePool::kAlignment) return round_up(bytes, PagePool::kAlignment);
  return round_up(bytes, std::bit_floor(bytes - 1) / 4);
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Content stays. Kernels before 5.14 take one write for each page, which may be a poisoned guard.
#if defined(__GNUC__)
__attribute__((no_sanitize("address")))
#endif
void touch(std::byte* begin, uint64_t bytes) {
  if (::madvise(begin, bytes, MADV_POPULATE_WRITE) == 0) return;
  for (uint64_t at = 0; at < bytes; at += AddressSpace::page_bytes()) {
    volatile std::byte& first = begin[at];
    first = first;
  }
}

// Reads poisoned bytes.
#if defined(__GNUC__)
__attribute__((no_sanitize("address")))
#endif
bool all_guards(const std::byte* begin, const std::byte* end) {
  for (; begin != end; ++begin)
    if (*begin != kGuard) return false;
  return true;
}

}  // namespace

double PoolStats::utilisation() const {
  return share(used_bytes, committed_bytes);
}

double PoolStats::internal_fragmentation() const {
  return share(held_bytes - used_bytes, committed_bytes);
}

double PoolStats::external_fragmentation() const {
  return share(committed_bytes - held_bytes, committed_bytes);
}

PagePool::PagePool(MemoryTag tag, Budget& budget, bool guards)
    : tag_(tag), budget_(budget), guard_bytes_(guards || kAlwaysGuarded ? kGuardBytes : 0), space_(to_string(tag)) {}

PagePool::~PagePool() {
  if (stats_.blocks > 0) log(LogLevel::error, "{} {} blocks outlive their pool", stats_.blocks, to_string(tag_));
}

void PagePool::populate(std::byte* begin, uint64_t bytes, std::string_view purpose) {
  if (!budget_.shares_the_machine()) return;
  for (uint64_t done = 0; done < bytes; done += kPopulateBytes) {
    const uint64_t step = std::min(kPopulateBytes, bytes - done);
    if (done > 0) budget_.require_available(tag_, step, purpose);
    touch(begin + done, step);
  }
}

std::byte* PagePool::allocate(uint64_t bytes, std::string_view purpose) {
  if (bytes > AddressSpace::kMaxBytes) throw AddressSpace::no_memory(bytes, purpose);
  bytes = std::max<uint64_t>(bytes, 1);
  return bytes + 2 * guard_bytes_ <= kLargestClassBytes ? allocate_small(bytes, purpose) : allocate_run(bytes, purpose);
}

void PagePool::count_allocation(Slot& slot, uint64_t bytes, uint64_t held_bytes) {
  slot.bytes = bytes;
  slot.born_ns = now_ns();
  if (AllocationRecorder* recorder = AllocationRecorder::active()) slot.recorded = recorder->allocated(tag_, bytes);
  stats_.used_bytes += bytes;
  stats_.held_bytes += held_bytes;
  ++stats_.blocks;
  ++stats_.allocations;
}

void PagePool::count_release(Slot& slot, uint64_t held_bytes) {
  if (slot.recorded != 0) AllocationRecorder::active()->freed(slot.recorded);
  stats_.used_bytes -= slot.bytes;
  stats_.held_bytes -= held_bytes;
  --stats_.blocks;
  residency_ms_ += to_milliseconds(now_ns() - slot.born_ns);
  slot = {};
}

void PagePool::set_guards(std::byte* begin, uint64_t held_bytes, uint64_t bytes) const {
  if (guard_bytes_ == 0) return;
  unpoison(begin, held_bytes);
  std::byte* end = begin + guard_bytes_ + bytes;
  std::fill(begin, begin + guard_bytes_, kGuard);
  std::fill(end, begin + held_bytes, kGuard);
  poison(begin, guard_bytes_);
  poison(end, static_cast<uint64_t>(begin + held_bytes - end));
}

bool PagePool::guards_intact(const std::byte* begin, uint64_t held_bytes, uint64_t bytes) const {
  if (guard_bytes_ == 0) return true;
  return all_guards(begin, begin + guard_bytes_) && all_guards(begin + guard_bytes_ + bytes, begin + held_bytes);
}

std::byte* PagePool::allocate_run(uint64_t bytes, std::string_view purpose) {
  Run run;
  run.run_bytes = round_up(bytes + 2 * guard_bytes_, AddressSpace::page_bytes());
  // Before the lock: a reclaimer may release a block of this pool for it.
  run.reservation = budget_.reserve(tag_, run.run_bytes, purpose);
  Lock lock(mutex_);
  run.begin = space_.take(run.run_bytes, AddressSpace::page_bytes());
  if (!space_.commit(run.begin, run.run_bytes)) {
    space_.give_back(run.begin, run.run_bytes);
    throw AddressSpace::no_memory(bytes, purpose);
  }
  set_guards(run.begin, run.run_bytes, bytes);
  count_allocation(run.slot, bytes, run.run_bytes);
  std::byte *begin = run.begin, *block = begin + guard_bytes_;
  const uint64_t run_bytes = run.run_bytes;
  runs_.emplace(block, std::move(run));
  lock.unlock();
  Block registered(block, Return{this});  // released if populate() throws
  populate(begin, run_bytes, purpose);
  return registered.release();
}

// Unlocks while it asks the budget for a new slab.
PagePool::Slab& PagePool::slab_with_room(Lock& lock, uint64_t class_bytes, std::string_view purpose) {
  std::vector<Slab*>& slabs = with_room_[class_bytes];
  if (!slabs.empty()) return *slabs.back();
  Slab* slab = empty_slab(class_bytes);
  if (!slab) {
    lock.unlock();
    Reservation reservation = budget_.reserve(tag_, kSlabBytes, purpose);
    lock.lock();
    std::byte* begin = space_.take(kSlabBytes, kSlabBytes);
    if (!space_.commit(begin, kSlabBytes)) {
      space_.give_back(begin, kSlabBytes);
      throw AddressSpace::no_memory(kSlabBytes, purpose);
    }
    poison(begin, kSlabBytes);
    auto& made = slabs_[reinterpret_cast<uintptr_t>(begin) / kSlabBytes];
    made = std::make_unique<Slab>();
    slab = made.get();
    slab->begin = begin;
    slab->reservation = std::move(reservation);
  }
  if (slab->class_bytes != class_bytes) slab->cut(class_bytes);
  slabs.push_back(slab);
  return *slab;
}

// One of the kept slabs, if possible one of the same class; null if none is kept.
PagePool::Slab* PagePool::empty_slab(uint64_t class_bytes) {
  if (empty_.empty()) return nullptr;
  const auto same = [class_bytes](const Slab* slab) { return slab->class_bytes == class_bytes; };
  const auto found = std::find_if(empty_.begin(), std::prev(empty_.end()), same);
  Slab* slab = *found;
  empty_.erase(found);
  return slab;
}

void PagePool::Slab::cut(uint64_t into_bytes) {
  class_bytes = into_bytes;
  slots.assign(kSlabBytes / class_bytes, {});
  free.resize(slots.size());
  for (size_t i = 0; i < free.size(); ++i) free[i] = static_cast<uint16_t>(free.size() - 1 - i);
}

std::byte* PagePool::allocate_small(uint64_t bytes, std::string_view purpose) {
  const uint64_t class_bytes = class_of(bytes + 2 * guard_bytes_);
  Lock lock(mutex_);
  Slab& slab = slab_with_room(lock, class_bytes, purpose);
  const uint16_t index = slab.free.back();
  slab.free.pop_back();
  if (slab.free.empty()) std::erase(with_room_[class_bytes], &slab);
  std::byte* begin = slab.begin + index * class_bytes;
  unpoison(begin + guard_bytes_, bytes);
  set_guards(begin, class_bytes, bytes);
  count_allocation(slab.slots[index], bytes, class_bytes);
  return begin + guard_bytes_;
}

void PagePool::deallocate(std::byte* block) {
  const Lock lock(mutex_);
  const auto run = runs_.find(block);
  const auto slab = slabs_.find(reinterpret_cast<uintptr_t>(block) / kSlabBytes);
  bool intact = true;
  if (run != runs_.end())
    intact = free_run(run);
  else if (slab != slabs_.end())
    intact = free_small(block, *slab->second);
  else
    throw Error(Code::internal, fmt::format("no {} block starts at this address", to_string(tag_)));
  if (!intact) throw Error(Code::internal, fmt::format("a {} block was written out of bounds", to_string(tag_)));
}

bool PagePool::free_run(RunMap::iterator at) {
  Run& run = at->second;
  const bool intact = guards_intact(run.begin, run.run_bytes, run.slot.bytes);
  count_release(run.slot, run.run_bytes);
  space_.decommit(run.begin, run.run_bytes, run.run_bytes);
  space_.give_back(run.begin, run.run_bytes);
  runs_.erase(at);
  return intact;
}

bool PagePool::free_small(std::byte* block, Slab& slab) {
  const uint64_t offset = static_cast<uint64_t>(block - slab.begin), index = offset / slab.class_bytes;
  if (index >= slab.slots.size() || offset % slab.class_bytes != guard_bytes_ || slab.slots[index].bytes == 0)
    throw Error(Code::internal, fmt::format("a {} block was freed twice", to_string(tag_)));
  std::byte* begin = block - guard_bytes_;
  const bool intact = guards_intact(begin, slab.class_bytes, slab.slots[index].bytes);
  count_release(slab.slots[index], slab.class_bytes);
  poison(begin, slab.class_bytes);
  if (slab.free.empty()) with_room_[slab.class_bytes].push_back(&slab);
  slab.free.push_back(static_cast<uint16_t>(index));
  if (slab.free.size() == slab.slots.size()) retire(slab);
  return intact;
}

// Keeps the slab, which has no blocks, for the next class that needs one, or returns it to the system.
void PagePool::retire(Slab& slab) {
  std::erase(with_room_[slab.class_bytes], &slab);
  if (empty_.size() < kKeptSlabs) return empty_.push_back(&slab);
  space_.decommit(slab.begin, kSlabBytes, kSlabBytes);
  space_.give_back(slab.begin, kSlabBytes);
  slabs_.erase(reinterpret_cast<uintptr_t>(slab.begin) / kSlabBytes);
}

void PagePool::Return::operator()(std::byte* block) const noexcept {
  try {
    pool->deallocate(block);
  } catch (const Error& error) {
    log(LogLevel::error, "{}", error.message());
  }
}

PoolStats PagePool::stats() const {
  const Lock lock(mutex_);
  PoolStats stats = stats_;
  const AddressStats space = space_.stats();
  stats.committed_bytes = space.committed_bytes;
  stats.peak_committed_bytes = space.peak_committed_bytes;
  stats.address_bytes = space.address_bytes;
  stats.free_address_bytes = space.free_address_bytes;
  stats.largest_free_run_bytes = space.largest_free_run_bytes;
  if (const int64_t released = stats.allocations - stats.blocks; released > 0)
    stats.mean_residency_ms = residency_ms_ / static_cast<double>(released);
  return stats;
}

// ---- pages for an owner that commits them itself -------------------------------------------------------------------

PagePool::Addresses PagePool::take_addresses(uint64_t bytes) {
  const Lock lock(mutex_);
  std::byte* begin = space_.take(bytes, AddressSpace::page_bytes());
  ++stats_.blocks;
  ++stats_.allocations;
  return {begin, bytes, now_ns()};
}

void PagePool::give_addresses(const Addresses& addresses, const Region& regions) noexcept {
  const Lock lock(mutex_);
  stats_.used_bytes -= regions.used_bytes;
  stats_.held_bytes -= regions.committed_bytes;
  space_.decommit(addresses.begin, addresses.bytes, regions.committed_bytes);
  space_.give_back(addresses.begin, addresses.bytes);
  --stats_.blocks;
  residency_ms_ += to_milliseconds(now_ns() - addresses.born_ns);
}

bool PagePool::grow(Region& region, uint64_t bytes) {
  if (bytes <= region.used_bytes) return true;
  const uint64_t committed = std::max(round_up(bytes, AddressSpace::page_bytes()), region.committed_bytes);
  const Lock lock(mutex_);
  if (!space_.commit(region.begin + region.committed_bytes, committed - region.committed_bytes)) return false;
  stats_.used_bytes += bytes - region.used_bytes;
  stats_.held_bytes += committed - region.committed_bytes;
  region.used_bytes = bytes;
  region.committed_bytes = committed;
  return true;
}

bool PagePool::shrink(Region& region, uint64_t bytes) noexcept {
  const uint64_t kept = round_up(bytes, AddressSpace::page_bytes());
  if (kept >= region.committed_bytes) return false;
  const uint64_t returned = region.committed_bytes - kept, used = std::min(bytes, region.used_bytes);
  const Lock lock(mutex_);
  space_.decommit(region.begin + kept, returned, returned);
  stats_.held_bytes -= returned;
  stats_.used_bytes -= region.used_bytes - used;
  region.used_bytes = used;
  region.committed_bytes = kept;
  return true;
}

}  // namespace frugal
