#include "memory/pager.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace frugal {
namespace {

// Blocks begin and end at multiples of this, which is as far as the kernel maps around a page that is asked for: a
// block that is read brings no page of another one along.
constexpr uint64_t kAlignment = 64 * 1024;
// Blocks that the predictive policy reads ahead into.
constexpr int32_t kWindow = 16;
// What a pager can work with: the window, and two pins of two threads.
constexpr uint64_t kLeastBytes = (kWindow + 8) * Pager::kBlockBytes;
// What one request of the reader takes at most, in blocks.
constexpr int32_t kBlocksPerRead = 4;
// Taken from a pager at once, so that it is not asked for every few pages.
constexpr uint64_t kLeastReclaim = 1024 * 1024;

std::span<const std::byte> aligned_inside(std::span<const std::byte> bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()), end = begin + bytes.size();
  const uintptr_t from = (begin + kAlignment - 1) / kAlignment * kAlignment, to = end / kAlignment * kAlignment;
  return from < to ? bytes.subspan(from - begin, to - from) : std::span<const std::byte>();
}

}  // namespace

Pager::Pager(const MappedFile& file, std::span<const std::span<const std::byte>> weights, Budget& budget,
             const PagerOptions& options)
    : budget_(budget), options_(options) {
  cut_into_blocks(weights);
  const std::string name = file.path().filename().native();
  fixed_ = budget.reserve(MemoryTag::weights, file.bytes().size() - total_bytes_,
                          fmt::format("what always stays of '{}'", name));
  reservation_ = budget.reserve_up_to(MemoryTag::weights, total_bytes_, Budget::Ask::others);
  least_bytes_ = std::min(kLeastBytes, total_bytes_);
  if (reservation_.bytes() < least_bytes_)
    reservation_.absorb(budget.reserve(MemoryTag::weights, least_bytes_ - reservation_.bytes(),
                                       fmt::format("a window on the weights of '{}'", name)));
  if (blocks_.empty()) return;
  const bool fits = reservation_.bytes() == total_bytes_;
  reader_ = make_block_reader(file, runs_, fits ? BlockSource::mapped : options.source);
  policy_ = make_page_policy(options.policy, blocks(), kWindow);
  if (!fits) start_paging();
  budget.add(*this);
}

Pager::~Pager() {
  budget_.remove(*this);
  {
    Lock lock(mutex_);
    stop_ = true;
  }
  moved_on_.notify_all();
  if (ahead_.joinable()) ahead_.join();
}

void Pager::cut_into_blocks(std::span<const std::span<const std::byte>> weights) {
  for (const std::span<const std::byte> whole : weights) {
    const std::span<const std::byte> run = aligned_inside(whole);
    if (run.empty()) continue;
    runs_.push_back(run);
    for (uint64_t at = 0; at < run.size(); at += kBlockBytes)
      blocks_.push_back({run.subspan(at, std::min<uint64_t>(kBlockBytes, run.size() - at)), State::absent, 0});
    total_bytes_ += run.size();
  }
}

// The first block that `bytes` touches and the one behind the last.
std::pair<int32_t, int32_t> Pager::blocks_of(std::span<const std::byte> bytes) const {
  const auto first = std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return block.bytes.data() + block.bytes.size() <= bytes.data();
  });
  const auto last = std::partition_point(
      first, blocks_.end(), [&](const Block& block) { return block.bytes.data() < bytes.data() + bytes.size(); });
  return {static_cast<int32_t>(first - blocks_.begin()), static_cast<int32_t>(last - blocks_.begin())};
}

void Pager::start_paging() {
  capacity_changed();
  if (options_.read_ahead && options_.policy == PagePolicyKind::predictive)
    ahead_ = std::thread([this] { read_ahead(); });
  paging_.store(true, std::memory_order_release);
}

void Pager::capacity_changed() {
  policy_->set_capacity(static_cast<int32_t>(reservation_.bytes() / kBlockBytes));
}

Pager::Pin Pager::pin_blocks(std::span<const std::byte> bytes, Use use) {
  FRUGAL_CHECK(bytes.size() <= kMaxPinBytes);
  const auto [first, last] = blocks_of(bytes);
  if (first == last) return {};
  Lock lock(mutex_);
  for (int32_t b = first; b < last; ++b) {
    Block& block = blocks_[static_cast<size_t>(b)];
    ++block.pins;
    ++pins_;
    waited_ += block.state != State::resident;
    if (use != Use::in_order) continue;
    policy_->touch(b);
    if (options_.record_trace && (trace_.empty() || trace_.back() != b)) trace_.push_back(b);
  }
  news_ = true;
  moved_on_.notify_one();
  Pin pin(this, first, last);  // from here on an exception lets go
  try {
    wait_for(lock, first, last);
  } catch (...) {
    if (lock.owns_lock()) lock.unlock();
    throw;
  }
  return pin;
}

void Pager::wait_for(Lock& lock, int32_t first, int32_t last) {
  for (;;) {
    bool reading = false;
    int32_t b = first;
    for (; b < last && blocks_[static_cast<size_t>(b)].state != State::absent; ++b)
      reading |= blocks_[static_cast<size_t>(b)].state == State::reading;
    if (b < last) {
      int32_t end = b + 1;
      while (end < last && blocks_[static_cast<size_t>(end)].state == State::absent) ++end;
      uint64_t bytes = 0;
      for (int32_t i = b; i < end; ++i) bytes += blocks_[static_cast<size_t>(i)].bytes.size();
      make_room(bytes, -1);
      read_blocks(lock, b, end);
    } else if (reading) {
      arrived_.wait(lock);
    } else {
      return;
    }
  }
}

void Pager::unpin(int32_t first, int32_t last) {
  {
    Lock lock(mutex_);
    for (int32_t b = first; b < last; ++b) --blocks_[static_cast<size_t>(b)].pins;
    evict_down_to(reservation_.bytes(), -1);  // what did not fit while everything was pinned
    news_ = true;
  }
  moved_on_.notify_one();
}

// Room for `bytes` more: from the budget if it has any, else from blocks that can go. False if there is none; what is
// needed at once is then read all the same, and over the limit until a pin ends.
bool Pager::make_room(uint64_t bytes, int32_t in_favour_of) {
  if (resident_bytes_ + bytes <= reservation_.bytes()) return true;
  if (reservation_.bytes() < total_bytes_) {
    const uint64_t wanted = std::min(total_bytes_ - reservation_.bytes(), std::max(bytes, kBlockBytes));
    reservation_.absorb(budget_.reserve_up_to(MemoryTag::weights, wanted, Budget::Ask::nobody));
    capacity_changed();
  }
  return reservation_.bytes() >= bytes && evict_down_to(reservation_.bytes() - bytes, in_favour_of);
}

bool Pager::evict_down_to(uint64_t bytes, int32_t in_favour_of) {
  const auto may = [&](int32_t b) {
    const Block& block = blocks_[static_cast<size_t>(b)];
    return block.state == State::resident && block.pins == 0;
  };
  while (resident_bytes_ > bytes) {
    const int32_t victim = policy_->victim(may, in_favour_of);
    if (victim < 0) return false;
    Block& block = blocks_[static_cast<size_t>(victim)];
    block.state = State::absent;
    resident_bytes_ -= block.bytes.size();
    reader_->drop(block.bytes);
  }
  return true;
}

// Blocks [first, last), neighbours that are absent, in as few requests as their addresses allow. Without the lock
// while the disk works.
void Pager::read_blocks(Lock& lock, int32_t first, int32_t last) {
  std::vector<std::span<const std::byte>> requests;
  uint64_t bytes = 0;
  for (int32_t b = first; b < last; ++b) {
    Block& block = blocks_[static_cast<size_t>(b)];
    block.state = State::reading;
    bytes += block.bytes.size();
    if (!requests.empty() && requests.back().data() + requests.back().size() == block.bytes.data())
      requests.back() = {requests.back().data(), requests.back().size() + block.bytes.size()};
    else
      requests.push_back(block.bytes);
  }
  resident_bytes_ += bytes;
  State outcome = State::absent;
  std::exception_ptr failure;
  lock.unlock();
  try {
    for (const std::span<const std::byte> request : requests) reader_->read(request);
    outcome = State::resident;
  } catch (...) {
    failure = std::current_exception();
    for (const std::span<const std::byte> request : requests) reader_->drop(request);
  }
  lock.lock();
  for (int32_t b = first; b < last; ++b) blocks_[static_cast<size_t>(b)].state = outcome;
  if (outcome == State::resident)
    read_bytes_ += bytes;
  else
    resident_bytes_ -= bytes;
  arrived_.notify_all();
  if (failure) std::rethrow_exception(failure);
}

// The block behind the last of the absent neighbours from `first` on that one request may read.
int32_t Pager::run_to_read_ahead(int32_t first) const {
  int32_t last = first + 1;
  while (last < blocks() && last % kBlocksPerRead != 0 && blocks_[static_cast<size_t>(last)].state == State::absent)
    ++last;
  return last;
}

void Pager::read_ahead() {
  Lock lock(mutex_);
  while (!stop_) {
    moved_on_.wait(lock, [&] { return stop_ || news_; });
    news_ = false;
    while (!stop_) {
      const int32_t first =
          policy_->next([&](int32_t b) { return blocks_[static_cast<size_t>(b)].state == State::absent; });
      if (first < 0) break;
      const int32_t last = run_to_read_ahead(first);
      int32_t end = first;
      uint64_t bytes = 0;
      while (end < last && make_room(bytes + blocks_[static_cast<size_t>(end)].bytes.size(), end))
        bytes += blocks_[static_cast<size_t>(end++)].bytes.size();
      if (end == first) break;
      try {
        read_blocks(lock, first, end);
      } catch (const std::exception&) {
        break;  // who needs the block meets the error
      }
    }
  }
}

uint64_t Pager::reclaim(uint64_t bytes) {
  Lock lock(mutex_);
  const uint64_t held = reservation_.bytes();
  if (held <= least_bytes_) return 0;
  if (!paging_.load(std::memory_order_relaxed)) {
    // Whoever computes at this moment holds no pin: pages that it touches again come back by themselves.
    for (const std::span<const std::byte> run : runs_) reader_->drop(run);
    start_paging();
  }
  const uint64_t keep = std::max(least_bytes_, held - std::min(held, std::max(bytes, kLeastReclaim)));
  evict_down_to(keep, -1);
  reservation_.shrink_to(std::max(keep, resident_bytes_));
  capacity_changed();
  return held - reservation_.bytes();
}

PagerStats Pager::stats() const {
  Lock lock(mutex_);
  PagerStats stats;
  stats.total_bytes = total_bytes_;
  stats.fixed_bytes = fixed_.bytes();
  stats.paging = paging_.load();
  stats.resident_bytes = stats.paging ? resident_bytes_ : total_bytes_;
  stats.capacity_bytes = reservation_.bytes();
  stats.read_bytes = read_bytes_;
  stats.pins = pins_;
  stats.waited = waited_;
  if (reader_) stats.source = reader_->source();
  return stats;
}

std::vector<int32_t> Pager::trace() const {
  Lock lock(mutex_);
  return trace_;
}

}  // namespace frugal
