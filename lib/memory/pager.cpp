#include "memory/pager.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/cpu.h"
#include "base/error.h"

namespace frugal {
namespace {

// Blocks begin and end at multiples of this, which is as far as the kernel maps around a page that is asked for: a
// block that is read brings no page of another one along.
constexpr uint64_t kAlignment = 64 * 1024;
// What a pager can work with: the window, and two pins of two threads.
constexpr uint64_t kLeastBytes = (Pager::kWindow + 8) * Pager::kBlockBytes;
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
  fixed_bytes_ = file.bytes().size() - total_bytes_;
  reserve(file.path().filename().native());
  if (blocks_.empty()) return;
  const bool fits = room_bytes() == total_bytes_;
  reader_ = options_.open_reader(file, runs_, fits ? BlockSource::mapped : options.source);
  policy_ = make_page_policy(options.policy, blocks(), kWindow);
  if (!fits) start_paging();
  budget.add(*this);
  metric_registry().add(*this);
}

Pager::~Pager() {
  if (!blocks_.empty()) metric_registry().remove(*this);
  budget_.remove(*this);
  {
    Lock lock(mutex_);
    stop_ = true;
  }
  moved_on_.notify_all();
  for (std::thread& reader : readers_) reader.join();
}

// Of what may be paged, with the window.
uint64_t Pager::most_bytes() const {
  const uint64_t rest = total_bytes_ - least_bytes_;
  return least_bytes_ + std::min(rest, options_.most_resident_bytes);
}

void Pager::report(MetricSink& sink) const {
  const PagerStats now = stats();
  const auto figure = [](auto count) { return static_cast<double>(count); };
  sink.gauge("frugal_pager_resident_bytes", "Of weights that may be paged", figure(now.resident_bytes));
  sink.counter("frugal_pager_read_bytes_total", "Weights read from disk or page cache", figure(now.read_bytes));
  sink.counter("frugal_pager_pins_total", "Blocks of weights asked for", figure(now.pins));
  sink.ratio("frugal_pager_hit_ratio", "Share of the blocks of weights that were there when they were asked for",
             figure(now.pins - now.waited), figure(now.pins));
}

void Pager::reserve(std::string_view name) {
  least_bytes_ = std::min(kLeastBytes, total_bytes_);
  // At once, so that a refusal names all that is needed.
  reservation_ = budget_.reserve(MemoryTag::weights, fixed_bytes_ + least_bytes_,
                                 fmt::format("what always stays of '{}', with a window on the rest,", name));
  reservation_.absorb(budget_.reserve_up_to(MemoryTag::weights, most_bytes() - least_bytes_, Budget::Ask::others));
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

// Of blocks in ascending order: one span for neighbours without a gap, so that they are one request.
std::vector<std::span<const std::byte>> Pager::spans_of(const Numbers& numbers) {
  std::vector<std::span<const std::byte>> spans;
  for (const int32_t b : numbers) {
    const std::span<const std::byte> bytes = block(b).bytes;
    if (!spans.empty() && spans.back().data() + spans.back().size() == bytes.data())
      spans.back() = {spans.back().data(), spans.back().size() + bytes.size()};
    else
      spans.push_back(bytes);
  }
  return spans;
}

void Pager::start_paging() {
  policy_->set_capacity(static_cast<int32_t>(room_bytes() / kBlockBytes));
  const int readers = options_.policy == PagePolicyKind::predictive ? options_.readers : 0;
  try {
    for (int i = 0; i < readers; ++i) readers_.emplace_back([this] { read_ahead(); });
  } catch (const std::system_error&) {
    // No more threads to be had: what is not read ahead is read when it is asked for.
  }
  began_ = Clock::now();
  paging_.store(true, std::memory_order_release);
}

Pager::Pin Pager::pin_blocks(std::span<const std::byte> bytes, Use use) {
  FRUGAL_CHECK(bytes.size() <= kMaxPinBytes);
  const auto [first, last] = blocks_of(bytes);
  if (first == last) return {};
  Lock lock(mutex_);
  const int64_t waited_before = waited_;
  for (int32_t b = first; b < last; ++b) {
    ++block(b).pins;
    ++pins_;
    waited_ += block(b).state != State::resident;
    if (use != Use::in_order) continue;
    policy_->touch(b);
    if (options_.record_trace && (trace_.empty() || trace_.back() != b)) trace_.push_back(b);
  }
  Pin pin(this, first, last);  // from here on an exception lets go
  if (waited_ == waited_before) return pin;
  wake_readers(kBlocksPerRead);
  ++waiting_;
  try {
    wait_for(lock, first, last);
  } catch (...) {
    --waiting_;
    lock.unlock();
    throw;
  }
  --waiting_;
  return pin;
}

// Returns, or throws, with the lock held.
void Pager::wait_for(Lock& lock, int32_t first, int32_t last) {
  for (;;) {
    bool all_resident = true;
    int32_t b = first;
    for (; b < last && block(b).state != State::absent; ++b) all_resident &= block(b).state == State::resident;
    if (b < last) {
      int32_t end = b;
      uint64_t bytes = 0;
      for (; end < last && block(end).state == State::absent; ++end) bytes += block(end).bytes.size();
      Numbers victims, taken;
      make_room(bytes, -1, victims);  // if there is none: over the limit, until a pin ends
      for (; b < end; ++b) take(b, taken);
      replace(lock, std::move(victims), std::move(taken));
    } else if (!all_resident) {
      arrived_.wait(lock);
    } else {
      return;
    }
  }
}

void Pager::unpin(int32_t first, int32_t last) {
  Lock lock(mutex_);
  int32_t let_go = 0;
  for (int32_t b = first; b < last; ++b) let_go += --block(b).pins == 0;
  wake_readers(let_go);
  if (resident_bytes_ <= room_bytes()) return;
  Numbers victims;  // what did not fit while everything was pinned
  choose_victims(room_bytes(), -1, victims);
  drop(lock, std::move(victims));
}

// Room for `bytes` more: from the budget if it has any, else from blocks that can go. False if there is none.
bool Pager::make_room(uint64_t bytes, int32_t in_favour_of, Numbers& victims) {
  if (resident_bytes_ + bytes <= room_bytes()) return true;
  if (room_bytes() < most_bytes()) {
    const uint64_t wanted = std::min(most_bytes() - room_bytes(), std::max(bytes, kBlockBytes));
    reservation_.absorb(budget_.reserve_up_to(MemoryTag::weights, wanted, Budget::Ask::nobody));
    policy_->set_capacity(static_cast<int32_t>(room_bytes() / kBlockBytes));
  }
  return room_bytes() >= bytes && choose_victims(room_bytes() - bytes, in_favour_of, victims);
}

// Adds to `victims` until no more than `keep_bytes` are left without them. Whoever asks sees to it that they go.
bool Pager::choose_victims(uint64_t keep_bytes, int32_t in_favour_of, Numbers& victims) {
  const auto may = [&](int32_t b) { return block(b).state == State::resident && block(b).pins == 0; };
  while (resident_bytes_ > keep_bytes) {
    const int32_t victim = policy_->victim(may, in_favour_of);
    if (victim < 0) return false;
    policy_->leave(victim);
    block(victim).state = State::leaving;
    resident_bytes_ -= block(victim).bytes.size();
    victims.push_back(victim);
  }
  return true;
}

void Pager::take(int32_t b, Numbers& taken) {
  block(b).state = State::reading;
  resident_bytes_ += block(b).bytes.size();
  policy_->enter(b);
  taken.push_back(b);
}

void Pager::drop(Lock& lock, Numbers victims) {
  replace(lock, std::move(victims), {});
}

// Lets the pages of `victims` go, then reads those of `taken`, both without the lock. Throws what reading throws.
void Pager::replace(Lock& lock, Numbers victims, Numbers taken) {
  std::sort(victims.begin(), victims.end());
  const auto wanted = spans_of(taken);
  std::exception_ptr failure;
  if (!wanted.empty()) begin_request();
  lock.unlock();
  hand_over(victims, taken);
  try {
    for (const std::span<const std::byte> span : wanted) reader_->read(span);
  } catch (...) {
    failure = std::current_exception();
    for (const std::span<const std::byte> span : wanted) reader_->drop(span);
  }
  lock.lock();
  if (!wanted.empty()) end_request();
  for (const int32_t b : victims) block(b).state = State::absent;
  for (const int32_t b : taken) settle(b, !failure);
  arrived_.notify_all();
  if (failure) std::rethrow_exception(failure);
}

void Pager::begin_request() {
  if (requests_++ == 0) busy_since_ = Clock::now();
}

void Pager::end_request() {
  if (--requests_ == 0) reading_ += Clock::now() - busy_since_;
}

// Pages of blocks that go to blocks that come, the rest to the system. Block by block, since where pages are moved
// mappings are cut: so no more are made than there are blocks. Neighbours that go to neighbours in one call.
void Pager::hand_over(const Numbers& victims, const Numbers& taken) {
  std::span<const std::byte> from, to;
  const auto flush = [&] {
    if (!from.empty()) reader_->recycle(from, to);
  };
  auto next = taken.begin();
  for (const int32_t victim : victims) {
    const std::span<const std::byte> old = block(victim).bytes;
    const auto heir = std::find_if(next, taken.end(), [&](int32_t b) { return block(b).bytes.size() == old.size(); });
    if (heir == taken.end()) {
      reader_->drop(old);
      continue;
    }
    const std::span<const std::byte> fresh = block(*heir).bytes;
    next = heir + 1;
    const bool goes_on = from.data() + from.size() == old.data() && to.data() + to.size() == fresh.data();
    if (!goes_on) flush();
    from = goes_on ? std::span(from.data(), from.size() + old.size()) : old;
    to = goes_on ? std::span(to.data(), to.size() + fresh.size()) : fresh;
  }
  flush();
}

// The end of a read.
void Pager::settle(int32_t b, bool came) {
  block(b).state = came ? State::resident : State::absent;
  if (came) {
    read_bytes_ += block(b).bytes.size();
    ++read_blocks_;
  } else {
    resident_bytes_ -= block(b).bytes.size();
    policy_->leave(b);
  }
}

// Readers are woken for a whole request, not for every block that is let go.
void Pager::wake_readers(int32_t news) {
  news_ = std::min(news_ + news, kBlocksPerRead);
  if (news_ >= kBlocksPerRead) moved_on_.notify_one();
}

void Pager::read_ahead() {
  take_short_turns();
  Lock lock(mutex_);
  while (!stop_) {
    moved_on_.wait(lock, [&] { return stop_ || news_ >= kBlocksPerRead; });
    news_ = 0;
    try {
      while (!stop_ && read_next(lock)) {
      }
    } catch (const std::exception&) {
      // Who needs the block meets the error.
    }
  }
}

// Reads what comes next, in one request, as far as there is room. Returns whether to go on at once: part of a request
// is only worth one where somebody waits.
bool Pager::read_next(Lock& lock) {
  Numbers victims, taken;
  int32_t b = policy_->next();
  bool whole = false;
  while (b >= 0 && block(b).state == State::absent && make_room(block(b).bytes.size(), b, victims)) {
    take(b, taken);
    const int32_t next = policy_->next();
    whole = next != b + 1 || taken.size() == static_cast<size_t>(kBlocksPerRead);
    b = whole ? -1 : next;
  }
  const bool read = !taken.empty();
  replace(lock, std::move(victims), std::move(taken));
  return read && (whole || waiting_ > 0);
}

uint64_t Pager::reclaim(uint64_t bytes) {
  Lock lock(mutex_);
  const uint64_t held = room_bytes();
  if (held <= least_bytes_) return 0;
  if (!paging_.load(std::memory_order_relaxed)) {
    // Whoever computes at this moment holds no pin: pages that it touches again come back by themselves.
    for (const std::span<const std::byte> run : runs_) reader_->drop(run);
    start_paging();
  }
  const uint64_t keep = std::max(least_bytes_, held - std::min(held, std::max(bytes, kLeastReclaim)));
  Numbers victims;
  choose_victims(keep, -1, victims);
  std::sort(victims.begin(), victims.end());
  // Under the lock: nothing takes their place before the budget has it.
  for (const std::span<const std::byte> span : spans_of(victims)) reader_->drop(span);
  for (const int32_t b : victims) block(b).state = State::absent;
  reservation_.shrink_to(fixed_bytes_ + std::max(keep, resident_bytes_));
  policy_->set_capacity(static_cast<int32_t>(room_bytes() / kBlockBytes));
  return held - room_bytes();
}

PagerStats Pager::stats() const {
  Lock lock(mutex_);
  PagerStats stats;
  stats.total_bytes = total_bytes_;
  stats.fixed_bytes = fixed_bytes_;
  stats.paging = paging_.load();
  stats.resident_bytes = stats.paging ? resident_bytes_ : total_bytes_;
  stats.capacity_bytes = room_bytes();
  stats.read_bytes = read_bytes_;
  stats.read_blocks = read_blocks_;
  stats.pins = pins_;
  stats.waited = waited_;
  const Clock::time_point now = Clock::now();
  const auto ns = [](Clock::duration time) { return std::chrono::nanoseconds(time).count(); };
  stats.paging_ns = stats.paging ? ns(now - began_) : 0;
  stats.reading_ns = ns(reading_) + (requests_ > 0 ? ns(now - busy_since_) : 0);
  if (reader_) stats.source = reader_->source();
  return stats;
}

std::vector<int32_t> Pager::trace() const {
  Lock lock(mutex_);
  return trace_;
}

}  // namespace frugal
