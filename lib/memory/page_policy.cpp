#include "memory/page_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <numeric>
#include <queue>
#include <utility>
#include <vector>

#include "base/error.h"

namespace frugal {
namespace {

class LeastRecentlyUsed final : public PagePolicy {
 public:
  explicit LeastRecentlyUsed(int32_t blocks) : place_(static_cast<size_t>(blocks), by_age_.end()) {}
  void touch(int32_t block) override {
    if (const Place at = place_of(block); at != by_age_.end()) by_age_.splice(by_age_.end(), by_age_, at);
  }
  void enter(int32_t block) override { place_of(block) = by_age_.insert(by_age_.end(), block); }
  void leave(int32_t block) override { by_age_.erase(std::exchange(place_of(block), by_age_.end())); }
  void set_capacity(int32_t) override {}
  int32_t victim(const CanEvict& can_evict, int32_t) override {
    const auto oldest = std::find_if(by_age_.begin(), by_age_.end(), can_evict);
    return oldest == by_age_.end() ? -1 : *oldest;
  }

 private:
  using Place = std::list<int32_t>::iterator;
  Place& place_of(int32_t block) { return place_[static_cast<size_t>(block)]; }

  std::list<int32_t> by_age_;  // blocks that take room, the least recently used first
  std::vector<Place> place_;   // end(): takes no room
};

// Second chance (Corbató 1968): the hand passes blocks that were used since it last came by.
class Clock final : public PagePolicy {
 public:
  explicit Clock(int32_t blocks) : frames_(static_cast<size_t>(blocks)) {}
  void touch(int32_t block) override { frame(block).used = true; }
  void enter(int32_t block) override { frame(block) = {true, true}; }
  void leave(int32_t block) override { frame(block) = {}; }
  void set_capacity(int32_t) override {}
  int32_t victim(const CanEvict& can_evict, int32_t) override {
    const auto blocks = static_cast<int32_t>(frames_.size());
    for (int32_t step = 0; step < 2 * blocks; ++step) {
      const int32_t b = hand_;
      hand_ = (hand_ + 1) % blocks;
      if (!frame(b).taken || !can_evict(b)) continue;
      if (!frame(b).used) return b;
      frame(b).used = false;
    }
    return -1;
  }

 private:
  struct Frame {
    bool taken = false, used = false;
  };
  Frame& frame(int32_t block) { return frames_[static_cast<size_t>(block)]; }

  std::vector<Frame> frames_;
  int32_t hand_ = 0;
};

// Learns the order in which blocks are used in one pass and takes the next pass to be the same.
//
// Why. In a cycle of n blocks with room for k, LRU reads all n in each pass. The optimum reads about n - k: it keeps
// some blocks for good and lets the others stream through the rest of the room. This policy does that, and leaves
// `window` blocks of the room free, so that streaming blocks are prefetched while earlier ones are computed with.
//
// The order. rank_ gives each block its place in a pass, at first its place in the file. touch() appends the first use
// of each block to seen_. A pass ends when a block comes again that was met more than half a pass ago; one that was met
// just now is only still in use (a product pins a block more than once). The new order replaces the old one only if
// some block moved by more than kJitter places: threads that are slightly out of step must not change which blocks are
// kept, since each change reads blocks anew. Blocks without a use in this pass (experts, skipped layers) keep their
// order at the end.
//
// The kept set. kept() is a function of rank and capacity alone, so it needs no state and no update when blocks come
// and go. It spreads the kept blocks evenly over the order, in runs of kRun: evenly, so that reading has time while
// kept blocks are computed with; in runs, so that the streaming blocks between them are one request.
//
// The victim. The streaming block whose next use is farthest; a kept block only if no streaming one can go and a needed
// or kept block wants the room. The last kStillInUse blocks count as needed now, because one piece of work ends in the
// block where the next begins. A prefetch never evicts a block that is needed before the one it reads.
//
// Costs. touch, enter and next are O(1) or O(window). victim and leave are linear in the streaming blocks that take
// room, which are few: the window and the pinned ones. The end of a pass and a change of the capacity are O(n).
class Predictive final : public PagePolicy {
 public:
  static constexpr int32_t kRun = 4;         // neighbours that are kept, or stream, together
  static constexpr int32_t kStillInUse = 4;  // blocks behind the position
  static constexpr int32_t kJitter = 8;      // places by which threads out of step move a block

  Predictive(int32_t blocks, int32_t window)
      : window_(window),
        rank_(static_cast<size_t>(blocks)),
        taken_(rank_.size(), false),
        met_at_(rank_.size(), 0),
        pass_of_(rank_.size(), 0) {
    std::iota(rank_.begin(), rank_.end(), 0);  // the order of the file, until the first pass ends
    order_ = rank_;
    set_capacity(blocks);
  }

  void touch(int32_t block) override {
    const auto b = static_cast<size_t>(block);
    if (pass_of_[b] == pass_ && 2 * (static_cast<int32_t>(seen_.size()) - met_at_[b]) > size()) end_pass();
    if (pass_of_[b] != pass_) {
      pass_of_[b] = pass_;
      met_at_[b] = static_cast<int32_t>(seen_.size());
      seen_.push_back(block);
    }
    position_ = rank_[b];
  }

  void enter(int32_t block) override {
    taken_[static_cast<size_t>(block)] = true;
    if (!kept(block)) streaming_.push_back(block);
  }
  void leave(int32_t block) override {
    taken_[static_cast<size_t>(block)] = false;
    if (!kept(block)) std::erase(streaming_, block);
  }

  void set_capacity(int32_t blocks) override {
    const int32_t kept = blocks >= size() ? size() : std::max(0, blocks - window_);
    if (std::exchange(kept_, kept) != kept) find_streaming();
  }

  int32_t victim(const CanEvict& can_evict, int32_t replacement) override {
    const bool for_kept = replacement < 0 || kept(replacement);
    int32_t best = -1, farthest = for_kept ? -1 : ahead(replacement);
    const auto consider = [&](int32_t b) {
      if (ahead(b) > farthest && can_evict(b)) farthest = ahead(b), best = b;
    };
    for (const int32_t b : streaming_) consider(b);
    if (best >= 0 || !for_kept) return best;
    if (replacement >= 0) farthest = ahead(replacement);
    for (int32_t b = 0; b < size(); ++b)
      if (taken_[static_cast<size_t>(b)]) consider(b);
    return best;
  }

  int32_t next() override {
    int32_t streamed = 0;
    for (int32_t step = 1; step < size() && streamed < window_; ++step) {
      const int32_t block = order_[static_cast<size_t>((position_ + step) % size())];
      streamed += !kept(block);
      if (!taken_[static_cast<size_t>(block)]) return block;
    }
    return -1;
  }

 private:
  int32_t size() const { return static_cast<int32_t>(rank_.size()); }
  // Steps until `block` is used again; 0 if it may still be in use.
  int32_t ahead(int32_t block) const {
    const int32_t distance = (rank_[static_cast<size_t>(block)] - position_ + size()) % size();
    return distance > size() - kStillInUse ? 0 : distance;
  }
  bool kept(int32_t block) const {
    const int64_t runs = (size() + kRun - 1) / kRun, kept_runs = kept_ / kRun;
    const int64_t run = rank_[static_cast<size_t>(block)] / kRun;
    return kept_ == size() || (run + 1) * kept_runs / runs > run * kept_runs / runs;
  }
  void find_streaming() {
    streaming_.clear();
    for (int32_t b = 0; b < size(); ++b)
      if (taken_[static_cast<size_t>(b)] && !kept(b)) streaming_.push_back(b);
  }

  void end_pass() {
    for (const int32_t block : order_)
      if (pass_of_[static_cast<size_t>(block)] != pass_) seen_.push_back(block);
    if (differs(seen_)) {
      order_ = seen_;
      for (int32_t i = 0; i < size(); ++i) rank_[static_cast<size_t>(order_[static_cast<size_t>(i)])] = i;
      find_streaming();
    }
    seen_.clear();
    ++pass_;
  }
  bool differs(const std::vector<int32_t>& order) const {
    for (int32_t i = 0; i < size(); ++i)
      if (std::abs(rank_[static_cast<size_t>(order[static_cast<size_t>(i)])] - i) > kJitter) return true;
    return false;
  }

  int32_t window_, kept_ = 0, position_ = 0;
  std::vector<int32_t> rank_;       // of each block, in the order of use
  std::vector<int32_t> order_;      // block of each rank
  std::vector<bool> taken_;         // whether the block takes room
  std::vector<int32_t> streaming_;  // blocks that take room and are not kept
  std::vector<int32_t> seen_;       // in this pass, in the order of their first use
  std::vector<int32_t> met_at_;     // place in seen_, in the pass of pass_of_
  std::vector<uint32_t> pass_of_;
  uint32_t pass_ = 1;
};

int64_t belady_reads(std::span<const int32_t> trace, int32_t blocks, int32_t capacity) {
  const auto never = static_cast<int64_t>(trace.size());
  std::vector<int64_t> next_use(trace.size()), last(static_cast<size_t>(blocks), never);
  for (size_t i = trace.size(); i-- > 0;) {
    next_use[i] = last[static_cast<size_t>(trace[i])];
    last[static_cast<size_t>(trace[i])] = static_cast<int64_t>(i);
  }
  std::vector<int64_t> due(static_cast<size_t>(blocks), -1);  // next use of a resident block; -1: absent
  std::priority_queue<std::pair<int64_t, int32_t>> farthest;
  int32_t resident = 0;
  int64_t reads = 0;
  for (size_t i = 0; i < trace.size(); ++i) {
    const auto b = static_cast<size_t>(trace[i]);
    if (due[b] < 0) {
      ++reads;
      while (resident >= capacity) {
        const auto [at, block] = farthest.top();
        farthest.pop();
        if (due[static_cast<size_t>(block)] != at) continue;  // an outdated entry: the block was used since
        due[static_cast<size_t>(block)] = -1;
        --resident;
      }
      ++resident;
    }
    due[b] = next_use[i];
    farthest.emplace(next_use[i], trace[i]);
  }
  return reads;
}

}  // namespace

std::unique_ptr<PagePolicy> make_page_policy(PagePolicyKind kind, int32_t blocks, int32_t window) {
  FRUGAL_CHECK(blocks > 0 && window >= 0);
  if (kind == PagePolicyKind::lru) return std::make_unique<LeastRecentlyUsed>(blocks);
  if (kind == PagePolicyKind::clock) return std::make_unique<Clock>(blocks);
  return std::make_unique<Predictive>(blocks, window);
}

int64_t simulate_reads(std::optional<PagePolicyKind> kind, std::span<const int32_t> trace, int32_t blocks,
                       int32_t capacity, int32_t window) {
  FRUGAL_CHECK(capacity > 0);
  for (const int32_t block : trace) FRUGAL_CHECK(block >= 0 && block < blocks);
  if (!kind) return belady_reads(trace, blocks, capacity);
  const auto policy = make_page_policy(*kind, blocks, std::min(capacity / 4, window));
  policy->set_capacity(capacity);
  std::vector<bool> resident(static_cast<size_t>(blocks), false);
  int32_t held = 0;
  int64_t reads = 0;
  for (const int32_t block : trace) {
    policy->touch(block);
    if (resident[static_cast<size_t>(block)]) continue;
    if (held == capacity) {
      const int32_t victim = policy->victim([&](int32_t b) { return resident[static_cast<size_t>(b)]; });
      policy->leave(victim);
      resident[static_cast<size_t>(victim)] = false;
      --held;
    }
    policy->enter(block);
    resident[static_cast<size_t>(block)] = true;
    ++held;
    ++reads;
  }
  return reads;
}

}  // namespace frugal
