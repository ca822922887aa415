#include "memory/address_space.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/checked.h"
#include "base/units.h"
#include "memory/poison.h"

// Why. Linux hands out addresses and memory separately, and addresses are plentiful: a process has 128 TiB of them.
// Reserving a range for an array's full capacity costs one entry in the kernel's map of the process, and lets the array
// grow in place later. A page takes memory only once it is touched.
//
// Three states of a page. *Free*: PROT_NONE, in a run of free_. *Taken*: PROT_NONE, and its owner knows it.
// *Committed*: readable and writable, and counted. commit() is one mprotect. decommit() maps PROT_NONE over the range,
// one call that drops the pages, forbids them and lowers the kernel's count of promised memory; mprotect and madvise
// would be two.
//
// Invariants. Segments never move or shrink, so a taken address stays valid until it is given back. Free runs are
// disjoint and never adjacent: give_back() joins a run with both neighbours. Nothing in a free run is committed.
//
// Costs. take() is best fit over all free runs. There are few: one for each hole between blocks larger than a slab,
// tens in practice. A segment is reserved with MAP_NORESERVE, so the kernel promises no memory for it.

namespace frugal {
namespace {

constexpr uint64_t kSegmentBytes = kGiB;

void* map_inaccessible(void* where, uint64_t bytes, int flags) {
  return ::mmap(where, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

}  // namespace

uint64_t AddressSpace::page_bytes() {
  static const uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

Error AddressSpace::no_memory(uint64_t bytes, std::string_view purpose) {
  return Error(Code::over_budget, fmt::format("the system cannot provide {} for {}", format_bytes(bytes), purpose))
      .hint("close other programs, or see ulimit -v");
}

Error AddressSpace::no_addresses(uint64_t bytes) const {
  return no_memory(bytes, fmt::format("addresses of {}", name_));
}

AddressSpace::~AddressSpace() {
  for (const auto& [begin, bytes] : segments_) {
    unpoison(begin, bytes);
    ::munmap(begin, bytes);
  }
}

// A smaller segment, down to the bytes that are needed, where the system refuses a whole one (ulimit -v).
void AddressSpace::reserve_segment(uint64_t bytes) {
  for (uint64_t segment = std::max(kSegmentBytes, bytes);; segment = std::max(segment / 2, bytes)) {
    void* begin = map_inaccessible(nullptr, segment, 0);
    if (begin == MAP_FAILED && segment > bytes) continue;
    if (begin == MAP_FAILED) throw no_addresses(bytes);
    segments_.emplace(static_cast<std::byte*>(begin), segment);
    stats_.address_bytes += segment;
    free_.emplace(static_cast<std::byte*>(begin), segment);
    return;
  }
}

// Best fit: the smallest run that is large enough, and the first of several.
std::byte* AddressSpace::take(uint64_t bytes, uint64_t alignment) {
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

void AddressSpace::give_back(std::byte* begin, uint64_t bytes) {
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

bool AddressSpace::commit(std::byte* begin, uint64_t bytes) {
  if (bytes == 0) return true;
  if (::mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
  unpoison(begin, bytes);
  stats_.committed_bytes += bytes;
  stats_.peak_committed_bytes = std::max(stats_.peak_committed_bytes, stats_.committed_bytes);
  return true;
}

void AddressSpace::decommit(std::byte* begin, uint64_t bytes, uint64_t committed_bytes) {
  if (committed_bytes == 0) return;
  map_inaccessible(begin, bytes, MAP_FIXED);
  stats_.committed_bytes -= committed_bytes;
}

AddressStats AddressSpace::stats() const {
  AddressStats stats = stats_;
  for (const auto& [begin, bytes] : free_) {
    stats.free_address_bytes += bytes;
    stats.largest_free_run_bytes = std::max(stats.largest_free_run_bytes, bytes);
  }
  return stats;
}

}  // namespace frugal
