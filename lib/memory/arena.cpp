#include "memory/arena.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/units.h"
#include "memory/allocation_trace.h"
#include "memory/poison.h"

namespace frugal {
namespace {

// Addresses of one block: more than a pass needs, and no memory until they are used.
constexpr uint64_t kBlockBytes = kGiB;
// Bytes reserved at a time: one system call of about a microsecond for 32 pages.
constexpr uint64_t kStepBytes = 128 * kKiB;

}  // namespace

std::byte* Arena::allocate(uint64_t bytes) {
  FRUGAL_CHECK(bytes < uint64_t(1) << 48);
  bytes = round_up(std::max<uint64_t>(bytes, 1), kAlignment);
  while (block_ < blocks_.size() && blocks_[block_].capacity_bytes(0) - offset_ < bytes) {
    ++block_;
    offset_ = 0;
  }
  if (block_ == blocks_.size()) add_block(bytes);
  GrowingArrays& block = blocks_[block_];
  if (offset_ + bytes > block.committed_bytes())
    block.grow_to(std::min(round_up(offset_ + bytes, kStepBytes), block.capacity_bytes(0)),
                  "working memory of a forward pass");
  std::byte* result = block.data(0) + offset_;
  unpoison(result, bytes);
  if (AllocationRecorder::active()) record(bytes);
  offset_ += bytes;
  pass_bytes_ = std::max(pass_bytes_, offset_);
  return result;
}

void Arena::add_block(uint64_t bytes) {
  PagePool& pool = budget_.pool(MemoryTag::activations);
  offset_ = 0;
  for (uint64_t capacity = std::max(bytes, kBlockBytes);; capacity = std::max(bytes, capacity / 2)) try {
      blocks_.emplace_back(pool, std::vector{capacity});
      return;
    } catch (const Error&) {
      if (capacity == bytes) throw;  // else the system is short of addresses (ulimit -v), and fewer suffice
    }
}

void Arena::reset(Mark mark) noexcept {
  forget_after(mark);
  // Released memory stays poisoned until it is allocated again.
  for (size_t i = mark.block; i < blocks_.size() && i <= block_; ++i) {
    const uint64_t begin = i == mark.block ? mark.offset : 0;
    const uint64_t end = i == block_ ? offset_ : blocks_[i].committed_bytes();
    if (end > begin) poison(blocks_[i].data(0) + begin, end - begin);
  }
  block_ = mark.block;
  offset_ = mark.offset;
  if (block_ == 0 && offset_ == 0) end_pass();
}

void Arena::end_pass() noexcept {
  const uint64_t used = round_up(std::exchange(pass_bytes_, 0), kStepBytes);
  if (blocks_.size() == 1 && blocks_[0].committed_bytes() > 2 * used) blocks_[0].shrink_to(0, used);
}

void Arena::record(uint64_t bytes) {
  recorded_.push_back({mark(), AllocationRecorder::active()->allocated(MemoryTag::activations, bytes)});
}

void Arena::forget_after(Mark mark) noexcept {
  while (!recorded_.empty() &&
         (recorded_.back().at.block > mark.block ||
          (recorded_.back().at.block == mark.block && recorded_.back().at.offset >= mark.offset))) {
    AllocationRecorder::active()->freed(recorded_.back().id);
    recorded_.pop_back();
  }
}

uint64_t Arena::capacity_bytes() const {
  uint64_t total = 0;
  for (const GrowingArrays& block : blocks_) total += block.committed_bytes();
  return total;
}

void Arena::clear() {
  forget_after({});
  blocks_.clear();
  block_ = 0;
  offset_ = 0;
  pass_bytes_ = 0;
}

}  // namespace frugal
