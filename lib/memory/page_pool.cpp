#include "memory/page_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "memory/allocation_trace.h"
#include "memory/poison.h"

namespace frugal {
namespace {

constexpr uint64_t kSegmentBytes = kGiB;
constexpr uint64_t kSlabBytes = 64 * kKiB;
// Slabs without blocks that are kept: where the small blocks of a pass come and go together, the pages of a few classes
// would be faulted in again for each pass (docs/design/0021).
constexpr size_t kKeptSlabs = 4;
// Pages that are touched between one look at what the machine has left and the next.
constexpr uint64_t kPopulateBytes = kMiB;
// Beyond what any processor addresses; sums of a few such sizes do not wrap.
constexpr uint64_t kMostBytes = uint64_t(1) << 56;

#ifdef FRUGAL_MEMORY_GUARDS
constexpr bool kAlwaysGuarded = true;
#else
constexpr bool kAlwaysGuarded = false;
#endif
constexpr uint64_t kGuardBytes = 64;  // on each side, so that blocks stay aligned
constexpr std::byte kGuard{0xA7};

uint64_t page_bytes() {
  static const uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Multiples of 64 up to 256, then four classes to a doubling: a block is at most a fifth larger than what was asked
// for.
uint64_t class_of(uint64_t bytes) {
  if (bytes <= 4 * PagePool::kAlignment) return round_up(bytes, PagePool::kAlignment);
  return round_up(bytes, std::bit_floor(bytes - 1) / 4);
}

void* map_nothing(void* where, uint64_t bytes, int flags) {
  return ::mmap(where, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

Error no_memory(uint64_t bytes, std::string_view what) {
  return Error(Code::over_budget, fmt::format("the system has no {} for {}", format_bytes(bytes), what))
      .hint("close other programs, or see ulimit -v");
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Content stays. The kernel before 5.14 has to be asked page by page; guards are nobody's, but their pages are.
#if defined(__GNUC__)
__attribute__((no_sanitize("address")))
#endif
void touch(std::byte* begin, uint64_t bytes) {
  if (::madvise(begin, bytes, MADV_POPULATE_WRITE) == 0) return;
  for (uint64_t at = 0; at < bytes; at += page_bytes()) {
    volatile std::byte& first = begin[at];
    first = first;
  }
}

// Guards may not be touched by anyone else.
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
    : tag_(tag), budget_(budget), guard_bytes_(guards || kAlwaysGuarded ? kGuardBytes : 0) {}

PagePool::~PagePool() {
  if (stats_.blocks > 0) log(LogLevel::error, "{} blocks of {} outlive their pool", stats_.blocks, to_string(tag_));
  for (const auto& [begin, bytes] : segments_) {
    unpoison(begin, bytes);
    ::munmap(begin, bytes);
  }
}

// ---- addresses -----------------------------------------------------------------------------------------------------

// Where so many addresses are not to be had at once (ulimit -v), as many as are needed.
void PagePool::reserve_segment(uint64_t bytes) {
  for (uint64_t segment = std::max(kSegmentBytes, bytes);; segment = std::max(segment / 2, bytes)) {
    void* begin = map_nothing(nullptr, segment, 0);
    if (begin == MAP_FAILED && segment > bytes) continue;
    if (begin == MAP_FAILED) throw no_memory(bytes, fmt::format("addresses of {}", to_string(tag_)));
    segments_.emplace(static_cast<std::byte*>(begin), segment);
    stats_.address_bytes += segment;
    free_.emplace(static_cast<std::byte*>(begin), segment);
    return;
  }
}

// Best fit: of the runs that are large enough the smallest, and of those the first.
std::byte* PagePool::take_addresses(uint64_t bytes, uint64_t alignment) {
  const auto aligned = [alignment](std::byte* at) {
    return at + (round_up(reinterpret_cast<uintptr_t>(at), alignment) - reinterpret_cast<uintptr_t>(at));
  };
  for (;; reserve_segment(bytes + alignment)) {
    auto best = free_.end();
    for (auto run = free_.begin(); run != free_.end(); ++run)
      if (aligned(run->first) + bytes <= run->first + run->second &&
          (best == free_.end() || run->second < best->second))
        best = run;
    if (best == free_.end()) continue;
    const auto [begin, length] = *best;
    std::byte* taken = aligned(begin);
    free_.erase(best);
    if (taken > begin) free_.emplace(begin, static_cast<uint64_t>(taken - begin));
    if (taken + bytes < begin + length)
      free_.emplace(taken + bytes, static_cast<uint64_t>(begin + length - (taken + bytes)));
    return taken;
  }
}

void PagePool::give_addresses(std::byte* begin, uint64_t bytes) {
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && begin + bytes == next->first) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == begin) {
      before->second += bytes;
      return;
    }
  }
  free_.emplace(begin, bytes);
}

bool PagePool::commit(std::byte* begin, uint64_t bytes) {
  if (bytes == 0) return true;
  if (::mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
  unpoison(begin, bytes);
  stats_.committed_bytes += bytes;
  stats_.peak_committed_bytes = std::max(stats_.peak_committed_bytes, stats_.committed_bytes);
  return true;
}

void PagePool::populate(std::byte* begin, uint64_t bytes, std::string_view what) {
  if (!budget_.shares_the_machine()) return;
  for (uint64_t done = 0; done < bytes; done += kPopulateBytes) {
    const uint64_t step = std::min(kPopulateBytes, bytes - done);
    if (done > 0) budget_.require_available(tag_, step, what);
    touch(begin + done, step);
  }
}

// One call drops the pages, forbids them and gives back what the kernel promised.
void PagePool::decommit(std::byte* begin, uint64_t bytes, uint64_t committed_bytes) {
  if (committed_bytes == 0) return;
  map_nothing(begin, bytes, MAP_FIXED);
  stats_.committed_bytes -= committed_bytes;
}

// ---- blocks --------------------------------------------------------------------------------------------------------

std::byte* PagePool::allocate(uint64_t bytes, std::string_view what) {
  if (bytes > kMostBytes) throw no_memory(bytes, what);
  bytes = std::max<uint64_t>(bytes, 1);
  return bytes + 2 * guard_bytes_ <= kLargestClassBytes ? allocate_small(bytes, what) : allocate_run(bytes, what);
}

void PagePool::note_birth(Slot& slot, uint64_t bytes, uint64_t held_bytes) {
  slot.bytes = bytes;
  slot.born_ns = now_ns();
  if (AllocationRecorder* recorder = AllocationRecorder::active()) slot.recorded = recorder->allocated(tag_, bytes);
  stats_.used_bytes += bytes;
  stats_.held_bytes += held_bytes;
  ++stats_.blocks;
  ++stats_.allocations;
}

void PagePool::note_death(Slot& slot, uint64_t held_bytes) {
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

std::byte* PagePool::allocate_run(uint64_t bytes, std::string_view what) {
  Run run;
  run.run_bytes = round_up(bytes + 2 * guard_bytes_, page_bytes());
  // Asked before the lock is taken: somebody may have to give up a block of this pool for it.
  run.reservation = budget_.reserve(tag_, run.run_bytes, what);
  Lock lock(mutex_);
  run.begin = take_addresses(run.run_bytes, page_bytes());
  if (!commit(run.begin, run.run_bytes)) {
    give_addresses(run.begin, run.run_bytes);
    throw no_memory(bytes, what);
  }
  set_guards(run.begin, run.run_bytes, bytes);
  note_birth(run.slot, bytes, run.run_bytes);
  std::byte *begin = run.begin, *block = begin + guard_bytes_;
  const uint64_t run_bytes = run.run_bytes;
  runs_.emplace(block, std::move(run));
  lock.unlock();
  Block refused(block, Return{this});  // comes back if populate() throws
  populate(begin, run_bytes, what);
  return refused.release();
}

// The lock is let go while the budget is asked for a new one.
PagePool::Slab& PagePool::slab_with_room(Lock& lock, uint64_t class_bytes, std::string_view what) {
  std::vector<Slab*>& slabs = with_room_[class_bytes];
  if (!slabs.empty()) return *slabs.back();
  Slab* slab = empty_slab(class_bytes);
  if (!slab) {
    lock.unlock();
    Reservation reservation = budget_.reserve(tag_, kSlabBytes, what);
    lock.lock();
    std::byte* begin = take_addresses(kSlabBytes, kSlabBytes);
    if (!commit(begin, kSlabBytes)) {
      give_addresses(begin, kSlabBytes);
      throw no_memory(kSlabBytes, what);
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

// One of the kept ones, of the same class if there is one.
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

std::byte* PagePool::allocate_small(uint64_t bytes, std::string_view what) {
  const uint64_t class_bytes = class_of(bytes + 2 * guard_bytes_);
  Lock lock(mutex_);
  Slab& slab = slab_with_room(lock, class_bytes, what);
  const uint16_t index = slab.free.back();
  slab.free.pop_back();
  if (slab.free.empty()) std::erase(with_room_[class_bytes], &slab);
  std::byte* begin = slab.begin + index * class_bytes;
  unpoison(begin + guard_bytes_, bytes);
  set_guards(begin, class_bytes, bytes);
  note_birth(slab.slots[index], bytes, class_bytes);
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
    throw Error(Code::internal, fmt::format("no block of the pool of {} is at this address", to_string(tag_)));
  if (!intact) throw Error(Code::internal, fmt::format("a block of {} was written past an end", to_string(tag_)));
}

bool PagePool::free_run(RunMap::iterator at) {
  Run& run = at->second;
  const bool intact = guards_intact(run.begin, run.run_bytes, run.slot.bytes);
  note_death(run.slot, run.run_bytes);
  decommit(run.begin, run.run_bytes, run.run_bytes);
  give_addresses(run.begin, run.run_bytes);
  runs_.erase(at);
  return intact;
}

bool PagePool::free_small(std::byte* block, Slab& slab) {
  const uint64_t offset = static_cast<uint64_t>(block - slab.begin), index = offset / slab.class_bytes;
  if (index >= slab.slots.size() || offset % slab.class_bytes != guard_bytes_ || slab.slots[index].bytes == 0)
    throw Error(Code::internal, fmt::format("a block of the pool of {} was given back twice", to_string(tag_)));
  std::byte* begin = block - guard_bytes_;
  const bool intact = guards_intact(begin, slab.class_bytes, slab.slots[index].bytes);
  note_death(slab.slots[index], slab.class_bytes);
  poison(begin, slab.class_bytes);
  if (slab.free.empty()) with_room_[slab.class_bytes].push_back(&slab);
  slab.free.push_back(static_cast<uint16_t>(index));
  if (slab.free.size() == slab.slots.size()) retire(slab);
  return intact;
}

// A slab without blocks: kept for whichever class needs one next, or given back.
void PagePool::retire(Slab& slab) {
  std::erase(with_room_[slab.class_bytes], &slab);
  if (empty_.size() < kKeptSlabs) return empty_.push_back(&slab);
  decommit(slab.begin, kSlabBytes, kSlabBytes);
  give_addresses(slab.begin, kSlabBytes);
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
  for (const auto& [begin, bytes] : free_) {
    stats.free_address_bytes += bytes;
    stats.largest_free_run_bytes = std::max(stats.largest_free_run_bytes, bytes);
  }
  if (const int64_t gone = stats.allocations - stats.blocks; gone > 0)
    stats.mean_residency_ms = residency_ms_ / static_cast<double>(gone);
  return stats;
}

PagePool& pool_of(MemoryTag tag, Budget* budget) {
  static Budget unlimited;
  return (budget ? *budget : unlimited).pool(tag);
}

// ---- growing arrays ------------------------------------------------------------------------------------------------

GrowingArrays::GrowingArrays(PagePool& pool, std::vector<uint64_t> capacities) : born_ns_(now_ns()) {
  uint64_t total = 0;
  for (const uint64_t capacity : capacities) {
    // A page that is never usable lies between an array and the next.
    total += round_up(std::min(capacity, kMostBytes), page_bytes()) + page_bytes();
    if (total > kMostBytes) throw no_memory(total, fmt::format("addresses of {}", to_string(pool.tag_)));
  }
  const PagePool::Lock lock(pool.mutex_);
  std::byte* begin = pool.take_addresses(total, page_bytes());
  pool_ = &pool;
  addresses_ = {begin, total};
  for (const uint64_t capacity : capacities) {
    arrays_.push_back({begin, capacity, 0, 0});
    begin += round_up(capacity, page_bytes()) + page_bytes();
  }
  ++pool.stats_.blocks;
  ++pool.stats_.allocations;
}

GrowingArrays& GrowingArrays::operator=(GrowingArrays&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  addresses_ = std::exchange(other.addresses_, {});
  arrays_ = std::exchange(other.arrays_, {});
  reservation_ = std::move(other.reservation_);
  born_ns_ = other.born_ns_;
  return *this;
}

void GrowingArrays::release() noexcept {
  if (!pool_) return;
  {
    const PagePool::Lock lock(pool_->mutex_);
    for (const Array& array : arrays_) {
      pool_->stats_.used_bytes -= array.used_bytes;
      pool_->stats_.held_bytes -= array.committed_bytes;
    }
    pool_->decommit(addresses_.data(), addresses_.size(), committed_bytes());
    pool_->give_addresses(addresses_.data(), addresses_.size());
    --pool_->stats_.blocks;
    pool_->residency_ms_ += to_milliseconds(now_ns() - born_ns_);
  }
  reservation_.release();
  pool_ = nullptr;
}

void GrowingArrays::shrink_to(size_t index, uint64_t bytes) noexcept {
  Array& array = arrays_[index];
  const uint64_t kept = round_up(bytes, page_bytes());
  if (kept >= array.committed_bytes) return;
  {
    const PagePool::Lock lock(pool_->mutex_);
    const uint64_t gone = array.committed_bytes - kept;
    pool_->decommit(array.begin + kept, gone, gone);
    pool_->stats_.held_bytes -= gone;
    pool_->stats_.used_bytes -= array.used_bytes - std::min(bytes, array.used_bytes);
    array.used_bytes = std::min(bytes, array.used_bytes);
    array.committed_bytes = kept;
  }
  reservation_.shrink_to(committed_bytes());
}

uint64_t GrowingArrays::committed_bytes() const {
  uint64_t total = 0;
  for (const Array& array : arrays_) total += array.committed_bytes;
  return total;
}

// The pool's mutex is held.
bool GrowingArrays::commit(Array& array, uint64_t bytes) {
  if (bytes <= array.used_bytes) return true;
  const uint64_t committed = std::max(round_up(bytes, page_bytes()), array.committed_bytes);
  if (!pool_->commit(array.begin + array.committed_bytes, committed - array.committed_bytes)) return false;
  pool_->stats_.used_bytes += bytes - array.used_bytes;
  pool_->stats_.held_bytes += committed - array.committed_bytes;
  array.used_bytes = bytes;
  array.committed_bytes = committed;
  return true;
}

// Whole pages that are not committed yet.
uint64_t GrowingArrays::missing_bytes(std::span<const uint64_t> bytes) const {
  FRUGAL_CHECK(pool_ && bytes.size() == arrays_.size());
  uint64_t more = 0;
  for (size_t i = 0; i < arrays_.size(); ++i) {
    FRUGAL_CHECK(bytes[i] <= arrays_[i].capacity_bytes);
    more += std::max(round_up(bytes[i], page_bytes()), arrays_[i].committed_bytes) - arrays_[i].committed_bytes;
  }
  return more;
}

void GrowingArrays::check_room(std::span<const uint64_t> bytes, std::string_view what) const {
  pool_->budget_.reserve(pool_->tag_, missing_bytes(bytes), what);
}

void GrowingArrays::grow_to(std::span<const uint64_t> bytes, std::string_view what) {
  const uint64_t more = missing_bytes(bytes);
  const std::vector<Array> before = arrays_;
  Reservation reservation;
  if (more > 0) reservation = pool_->budget_.reserve(pool_->tag_, more, what);
  bool grown = true;
  {
    const PagePool::Lock lock(pool_->mutex_);
    for (size_t i = 0; grown && i < arrays_.size(); ++i) grown = commit(arrays_[i], bytes[i]);
  }
  reservation.shrink_to(committed_bytes() - reservation_.bytes());
  reservation_.absorb(std::move(reservation));
  try {
    if (!grown) throw no_memory(more, what);
    for (size_t i = 0; i < arrays_.size(); ++i)
      pool_->populate(arrays_[i].begin + before[i].committed_bytes,
                      arrays_[i].committed_bytes - before[i].committed_bytes, what);
  } catch (const Error&) {
    for (size_t i = 0; i < arrays_.size(); ++i) shrink_to(i, before[i].used_bytes);
    throw;
  }
}

}  // namespace frugal
