#include "memory/pager.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/cpu.h"
#include "base/error.h"

namespace frugal {
namespace {

// Blocks begin and end at multiples of this, the largest range that the kernel maps around a faulting page: so a fault
// in one block maps no page of another.
constexpr uint64_t kAlignment = 64 * 1024;
// The least room to work in: the window, and two pins of each of two threads.
constexpr uint64_t kMinBytes = (Pager::kWindow + 8) * Pager::kBlockBytes;
// At most this many blocks in one request of a reader thread.
constexpr int32_t kBlocksPerRead = 4;
// A pager releases at least this much, so that it is not asked again for every few pages.
constexpr uint64_t kMinReclaimBytes = 1024 * 1024;

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
  evictable_.notify_all();
  for (std::thread& reader : readers_) reader.join();
}

// Upper limit of the room for blocks, with the window.
uint64_t Pager::max_bytes() const {
  const uint64_t rest = total_bytes_ - min_bytes_;
  return min_bytes_ + std::min(rest, options_.max_resident_bytes);
}

void Pager::report(MetricSink& sink) const {
  const PagerStats now = stats();
  const auto figure = [](auto count) { return static_cast<double>(count); };
  sink.gauge("frugal_pager_resident_bytes", "Resident bytes of the weights that may be paged",
             figure(now.resident_bytes));
  sink.counter("frugal_pager_read_bytes_total", "Bytes of weights read from disk or the page cache",
               figure(now.read_bytes));
  sink.counter("frugal_pager_pins_total", "Blocks of weights pinned", figure(now.pins));
  sink.ratio("frugal_pager_hit_ratio", "Share of the pinned blocks that were resident already",
             figure(now.pins - now.waited), figure(now.pins));
}

void Pager::reserve(std::string_view name) {
  min_bytes_ = std::min(kMinBytes, total_bytes_);
  // In one reservation, so that a refusal names the whole need.
  reservation_ = budget_.reserve(MemoryTag::weights, fixed_bytes_ + min_bytes_,
                                 fmt::format("'{}' (resident part and paging window)", name));
  reservation_.absorb(budget_.reserve_up_to(MemoryTag::weights, max_bytes() - min_bytes_, Budget::Reclaim::yes));
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

// The half-open range of blocks that `bytes` touches.
std::pair<int32_t, int32_t> Pager::blocks_of(std::span<const std::byte> bytes) const {
  const auto first = std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return block.bytes.data() + block.bytes.size() <= bytes.data();
  });
  const auto last = std::partition_point(
      first, blocks_.end(), [&](const Block& block) { return block.bytes.data() < bytes.data() + bytes.size(); });
  return {static_cast<int32_t>(first - blocks_.begin()), static_cast<int32_t>(last - blocks_.begin())};
}

// numbers: ascending. Neighbours without a gap become one span, hence one request.
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
    for (int i = 0; i < readers; ++i) readers_.emplace_back([this] { prefetch(); });
  } catch (const std::system_error&) {
    // The system has no more threads: blocks that are not prefetched are read on demand.
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
  Pin pin(this, first, last);  // unpins if what follows throws
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

// How a block becomes resident, and what keeps the bytes within the reservation.
//
// Why not leave it to the kernel: it evicts the pages used longest ago, and a model's weights are used in a cycle,
// where these are the pages needed next. It also reads them one fault at a time, while the thread that computes waits.
//
// Each block is in one of four states, guarded by mutex_:
//
//     absent -> reading -> resident -> leaving -> absent
//
// `reading` and `leaving` are owned by the thread that set them: it moves the pages without the lock, in replace(), and
// then sets the next state and notifies settled_. Others only wait. So a block is never read twice at once, and its
// pages are never dropped while they are read.
//
// wait_for() returns once all blocks of a pin are resident. It goes over them until then: a run of absent blocks it
// reads itself, in one request, even while reader threads are busy with others (demand never queues behind prefetch);
// if none is absent but some are under way it sleeps until one settles. It starts again from the first block each time,
// because a failed read sets a block back to absent. The pins were counted before, so no block that is resident once
// can be chosen as a victim before the pin ends.
//
// Reader threads prefetch into the room that unpinned blocks leave. They are woken for a request's worth of blocks, not
// for each, and take a victim only if the policy says that it is needed later than the block that replaces it. A demand
// read takes any victim. Both pair victims with new blocks of the same length, whose pages may then move instead of
// being freed and zeroed again (BlockReader::recycle).
//
// Invariants. resident_bytes_ counts reading and resident blocks. It exceeds room_bytes() only while more is pinned
// than fits: a demand read goes over the limit rather than wait for a pin of another thread, which may wait for this
// one; the next unpin evicts the excess. A reservation shrinks (reclaim) only after the pages are dropped, under the
// lock, so another user of the budget never touches memory that is still ours.
//
// Costs. A pin of resident blocks is one lock and two binary searches; without paging one atomic load. Choosing a
// victim is linear in the streaming blocks (see Predictive). A request reads up to 1 MiB.

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
      make_room(bytes, -1, victims);  // may fail: over the limit then, until a pin ends
      for (; b < end; ++b) take(b, taken);
      replace(lock, std::move(victims), taken);
    } else if (!all_resident) {
      settled_.wait(lock);
    } else {
      return;
    }
  }
}

void Pager::unpin(int32_t first, int32_t last) {
  Lock lock(mutex_);
  int32_t unpinned = 0;
  for (int32_t b = first; b < last; ++b) unpinned += --block(b).pins == 0;
  wake_readers(unpinned);
  if (resident_bytes_ <= room_bytes()) return;
  Numbers victims;  // the excess that demand reads took while all blocks were pinned
  choose_victims(room_bytes(), -1, victims);
  drop(lock, std::move(victims));
}

// Room for `bytes` more: from the budget if it has some free, else from evictable blocks. False if there is none.
bool Pager::make_room(uint64_t bytes, int32_t replacement, Numbers& victims) {
  if (resident_bytes_ + bytes <= room_bytes()) return true;
  if (room_bytes() < max_bytes()) {
    const uint64_t wanted = std::min(max_bytes() - room_bytes(), std::max(bytes, kBlockBytes));
    reservation_.absorb(budget_.reserve_up_to(MemoryTag::weights, wanted, Budget::Reclaim::no));
    policy_->set_capacity(static_cast<int32_t>(room_bytes() / kBlockBytes));
  }
  return room_bytes() >= bytes && choose_victims(room_bytes() - bytes, replacement, victims);
}

// Adds to `victims`, in state `leaving`, until the rest is at most `keep_bytes`. The caller drops their pages.
bool Pager::choose_victims(uint64_t keep_bytes, int32_t replacement, Numbers& victims) {
  const auto evictable = [&](int32_t b) { return block(b).state == State::resident && block(b).pins == 0; };
  while (resident_bytes_ > keep_bytes) {
    const int32_t victim = policy_->victim(evictable, replacement);
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

// Drops the pages of `victims`, then reads those of `taken`, both without the lock. Throws what reading throws.
void Pager::replace(Lock& lock, Numbers victims, const Numbers& taken) {
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
  for (const int32_t b : taken) finish_read(b, !failure);
  settled_.notify_all();
  if (failure) std::rethrow_exception(failure);
}

void Pager::begin_request() {
  if (requests_++ == 0) busy_since_ = Clock::now();
}

void Pager::end_request() {
  if (--requests_ == 0) reading_ += Clock::now() - busy_since_;
}

// Moves the pages of victims to new blocks of the same length, and returns the others to the system. Moves whole
// blocks, because each move may cut a mapping in two: so there are at most as many mappings as blocks. Neighbours that
// move to neighbours take one call.
void Pager::hand_over(const Numbers& victims, const Numbers& taken) {
  std::span<const std::byte> from, to;
  const auto flush = [&] {
    if (!from.empty()) reader_->recycle(from, to);
  };
  auto next = taken.begin();
  for (const int32_t victim : victims) {
    const std::span<const std::byte> old = block(victim).bytes;
    const auto successor =
        std::find_if(next, taken.end(), [&](int32_t b) { return block(b).bytes.size() == old.size(); });
    if (successor == taken.end()) {
      reader_->drop(old);
      continue;
    }
    const std::span<const std::byte> fresh = block(*successor).bytes;
    next = successor + 1;
    const bool goes_on = from.data() + from.size() == old.data() && to.data() + to.size() == fresh.data();
    if (!goes_on) flush();
    from = goes_on ? std::span(from.data(), from.size() + old.size()) : old;
    to = goes_on ? std::span(to.data(), to.size() + fresh.size()) : fresh;
  }
  flush();
}

void Pager::finish_read(int32_t b, bool ok) {
  block(b).state = ok ? State::resident : State::absent;
  if (ok) {
    read_bytes_ += block(b).bytes.size();
    ++read_blocks_;
  } else {
    resident_bytes_ -= block(b).bytes.size();
    policy_->leave(b);
  }
}

// Reader threads are woken for a whole request, not for every unpinned block.
void Pager::wake_readers(int32_t blocks) {
  unpinned_ = std::min(unpinned_ + blocks, kBlocksPerRead);
  if (unpinned_ >= kBlocksPerRead) evictable_.notify_one();
}

void Pager::prefetch() {
  request_short_time_slices();
  Lock lock(mutex_);
  while (!stop_) {
    evictable_.wait(lock, [&] { return stop_ || unpinned_ >= kBlocksPerRead; });
    unpinned_ = 0;
    try {
      while (!stop_ && prefetch_request(lock)) {
      }
    } catch (const std::exception&) {
      // The thread that pins the block will meet the error.
    }
  }
}

// Reads the blocks that are predicted next, in one request, as far as there is room. Returns whether to go on at once:
// a partial request is worthwhile only while some thread waits for a block.
bool Pager::prefetch_request(Lock& lock) {
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
  replace(lock, std::move(victims), taken);
  return read && (whole || waiting_ > 0);
}

uint64_t Pager::reclaim(uint64_t bytes) {
  Lock lock(mutex_);
  const uint64_t held = room_bytes();
  if (held <= min_bytes_) return 0;
  if (!paging_.load(std::memory_order_relaxed)) {
    // Running computations hold no pin yet, since nothing was paged: pages that they touch again fault in.
    for (const std::span<const std::byte> run : runs_) reader_->drop(run);
    start_paging();
  }
  const uint64_t keep = std::max(min_bytes_, held - std::min(held, std::max(bytes, kMinReclaimBytes)));
  Numbers victims;
  choose_victims(keep, -1, victims);
  std::sort(victims.begin(), victims.end());
  // Under the lock: no block takes their place before the budget has the bytes.
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
