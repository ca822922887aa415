#include "memory/arena.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr uint64_t kMinBlockBytes = 256 * 1024;

}  // namespace

void Arena::Free::operator()(std::byte* p) const {
  ::operator delete(p, std::align_val_t(kAlignment));
}

std::byte* Arena::allocate(uint64_t bytes) {
  FRUGAL_CHECK(bytes < uint64_t(1) << 48);
  bytes = round_up(std::max<uint64_t>(bytes, 1), kAlignment);
  while (block_ < blocks_.size() && blocks_[block_].bytes - offset_ < bytes) {
    ++block_;
    offset_ = 0;
  }
  if (block_ == blocks_.size()) grow(bytes);
  std::byte* result = blocks_[block_].data.get() + offset_;
  offset_ += bytes;
  return result;
}

void Arena::grow(uint64_t bytes) {
  Block block;
  block.bytes = std::max({bytes, kMinBlockBytes, capacity_bytes() / 2, std::exchange(fused_bytes_, 0)});
  block.bytes = round_up(block.bytes, kAlignment);
  if (budget_)
    block.reservation = budget_->reserve(MemoryTag::activations, block.bytes, "working memory of a forward pass");
  block.data.reset(static_cast<std::byte*>(::operator new(block.bytes, std::align_val_t(kAlignment))));
  blocks_.push_back(std::move(block));
  offset_ = 0;
}

void Arena::reset(Mark mark) noexcept {
  block_ = mark.block;
  offset_ = mark.offset;
  if (mark.block == 0 && mark.offset == 0 && blocks_.size() > 1) {
    const uint64_t total = capacity_bytes();
    clear();
    fused_bytes_ = total;
  }
}

uint64_t Arena::capacity_bytes() const {
  uint64_t total = 0;
  for (const Block& block : blocks_) total += block.bytes;
  return total;
}

void Arena::clear() {
  blocks_.clear();
  block_ = 0;
  offset_ = 0;
  fused_bytes_ = 0;
}

}  // namespace frugal
