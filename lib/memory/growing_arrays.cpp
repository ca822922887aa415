#include "memory/growing_arrays.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "memory/address_space.h"

// Why. A vector that outgrows its memory is copied, so for a moment both copies are resident and reserved: a key-value
// cache then needs half as much again as it holds (docs/design/0021). Here an array owns addresses for all it may ever
// hold, and growing only makes the next pages usable.
//
// Layout. All arrays lie in one stretch of addresses, each from a page boundary, with one page that is never usable
// behind it: a loop that runs past one array faults instead of reading its neighbour.
//
// Invariants. reservation_ covers exactly the committed pages of all arrays, whenever no call is under way. grow_to()
// reserves for all arrays before it commits for any, so a refusal changes nothing; where the system fails after that,
// the arrays shrink back.

namespace frugal {

GrowingArrays::GrowingArrays(PagePool& pool, const std::vector<uint64_t>& capacities) {
  const uint64_t page = AddressSpace::page_bytes();
  uint64_t total = 0;
  for (const uint64_t capacity : capacities) {
    total += round_up(std::min(capacity, AddressSpace::kMaxBytes), page) + page;
    if (total > AddressSpace::kMaxBytes) throw pool.no_addresses(total);
  }
  addresses_ = pool.take_addresses(total);
  pool_ = &pool;
  std::byte* begin = addresses_.begin;
  for (const uint64_t capacity : capacities) {
    arrays_.push_back({{begin, 0, 0}, capacity});
    begin += round_up(capacity, page) + page;
  }
}

GrowingArrays& GrowingArrays::operator=(GrowingArrays&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  addresses_ = std::exchange(other.addresses_, {});
  arrays_ = std::exchange(other.arrays_, {});
  reservation_ = std::move(other.reservation_);
  return *this;
}

void GrowingArrays::release() noexcept {
  if (!pool_) return;
  PagePool::Region all{addresses_.begin, 0, 0};
  for (const Array& array : arrays_) {
    all.used_bytes += array.pages.used_bytes;
    all.committed_bytes += array.pages.committed_bytes;
  }
  pool_->give_addresses(addresses_, all);
  reservation_.release();
  pool_ = nullptr;
}

void GrowingArrays::shrink_to(size_t array, uint64_t bytes) noexcept {
  if (pool_->shrink(arrays_[array].pages, bytes)) reservation_.shrink_to(committed_bytes());
}

uint64_t GrowingArrays::committed_bytes() const {
  uint64_t total = 0;
  for (const Array& array : arrays_) total += array.pages.committed_bytes;
  return total;
}

// Whole pages that are not committed yet.
uint64_t GrowingArrays::missing_bytes(std::span<const uint64_t> bytes) const {
  FRUGAL_CHECK(pool_ && bytes.size() == arrays_.size());
  uint64_t missing = 0;
  for (size_t i = 0; i < arrays_.size(); ++i) {
    FRUGAL_CHECK(bytes[i] <= arrays_[i].capacity_bytes);
    const uint64_t committed = arrays_[i].pages.committed_bytes;
    missing += std::max(round_up(bytes[i], AddressSpace::page_bytes()), committed) - committed;
  }
  return missing;
}

void GrowingArrays::check_room(std::span<const uint64_t> bytes, std::string_view purpose) const {
  pool_->reserve(missing_bytes(bytes), purpose);
}

void GrowingArrays::grow_to(std::span<const uint64_t> bytes, std::string_view purpose) {
  const uint64_t missing = missing_bytes(bytes);
  const std::vector<Array> before = arrays_;
  Reservation reservation;
  if (missing > 0) reservation = pool_->reserve(missing, purpose);
  bool grown = true;
  for (size_t i = 0; grown && i < arrays_.size(); ++i) grown = pool_->grow(arrays_[i].pages, bytes[i]);
  reservation.shrink_to(committed_bytes() - reservation_.bytes());
  reservation_.absorb(std::move(reservation));
  try {
    if (!grown) throw AddressSpace::no_memory(missing, purpose);
    for (size_t i = 0; i < arrays_.size(); ++i) {
      const PagePool::Region &old = before[i].pages, &now = arrays_[i].pages;
      pool_->populate(now.begin + old.committed_bytes, now.committed_bytes - old.committed_bytes, purpose);
    }
  } catch (const Error&) {
    for (size_t i = 0; i < arrays_.size(); ++i) shrink_to(i, before[i].pages.used_bytes);
    throw;
  }
}

}  // namespace frugal
