// A trace is played twice on a fresh allocator: once for the time, without looking at memory; once for the memory,
// reading the anonymous bytes of the process every kEventsPerSample events. Each event touches the pages that it adds,
// because an allocator that only reserves addresses has taken nothing yet. malloc_trim() before each play keeps freed
// memory of the one before out of the figures.
#include "measure/profile/allocation_replay.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "memory/arena.h"
#include "memory/budget.h"
#include "memory/growing_arrays.h"
#include "memory/page_pool.h"
#include "telemetry/process_memory.h"
#include "telemetry/system_memory.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

constexpr uint64_t kPage = 4096;
// Reading the memory of the process takes some 30 µs.
constexpr size_t kEventsPerSample = 16;

uint64_t anon_bytes() {
  const MemoryReading now = read_memory();
  return now.anon_bytes + now.swap_bytes;
}

// The allocator under test. Ids are the trace's.
class Player {
 public:
  virtual ~Player() = default;
  virtual std::byte* allocate(uint32_t id, uint64_t bytes) = 0;
  virtual std::byte* grow(uint32_t id, uint64_t bytes) = 0;
  virtual void free(uint32_t id) = 0;
};

class MallocPlayer final : public Player {
 public:
  explicit MallocPlayer(const AllocationTrace& trace) : blocks_(trace.ids) {}
  std::byte* allocate(uint32_t id, uint64_t bytes) override { return grow(id, bytes); }
  std::byte* grow(uint32_t id, uint64_t bytes) override {
    blocks_[id] = std::realloc(blocks_[id], std::max<uint64_t>(bytes, 1));
    if (!blocks_[id]) throw std::bad_alloc();
    return static_cast<std::byte*>(blocks_[id]);
  }
  void free(uint32_t id) override { std::free(std::exchange(blocks_[id], nullptr)); }

 private:
  std::vector<void*> blocks_;
};

// As in the runtime: a growing array keeps its address range for life.
class PoolPlayer final : public Player {
 public:
  explicit PoolPlayer(const AllocationTrace& trace)
      : pool_(MemoryTag::io, budget_), blocks_(trace.ids), arrays_(trace.ids), capacities_(trace.ids) {
    for (const AllocationEvent& event : trace.events)
      if (event.kind == AllocationEvent::Kind::grown) capacities_[event.id] = event.bytes;
  }
  std::byte* allocate(uint32_t id, uint64_t bytes) override {
    if (capacities_[id] == 0) return blocks_[id] = pool_.allocate(bytes, "a replay");
    arrays_[id] = GrowingArrays(pool_, {capacities_[id]});
    return grow(id, bytes);
  }
  std::byte* grow(uint32_t id, uint64_t bytes) override {
    arrays_[id].grow_to(bytes, "a replay");
    return arrays_[id].data(0);
  }
  void free(uint32_t id) override {
    if (capacities_[id] == 0)
      pool_.deallocate(blocks_[id]);
    else
      arrays_[id] = {};
  }

 private:
  Budget budget_;
  PagePool pool_;
  std::vector<std::byte*> blocks_;
  std::vector<GrowingArrays> arrays_;
  std::vector<uint64_t> capacities_;
};

class ArenaPlayer final : public Player {
 public:
  explicit ArenaPlayer(const AllocationTrace& trace) : marks_(trace.ids) {}
  std::byte* allocate(uint32_t id, uint64_t bytes) override {
    marks_[id] = arena_.mark();
    return arena_.allocate(bytes);
  }
  std::byte* grow(uint32_t, uint64_t) override { throw Error(Code::internal, "nothing grows in an arena"); }
  void free(uint32_t id) override { arena_.reset(marks_[id]); }

 private:
  Arena arena_{Budget::unlimited()};
  std::vector<Arena::Mark> marks_;
};

bool is_stack(const AllocationTrace& trace) {
  std::vector<uint32_t> stack;
  for (const AllocationEvent& event : trace.events) {
    if (event.kind == AllocationEvent::Kind::grown) return false;
    if (event.kind == AllocationEvent::Kind::allocated) {
      stack.push_back(event.id);
    } else if (stack.back() != event.id) {
      return false;
    } else {
      stack.pop_back();
    }
  }
  return true;
}

std::unique_ptr<Player> make_player(const AllocationTrace& trace, ReplayAllocator allocator) {
  if (allocator == ReplayAllocator::malloc) return std::make_unique<MallocPlayer>(trace);
  if (allocator == ReplayAllocator::page_pool) return std::make_unique<PoolPlayer>(trace);
  return std::make_unique<ArenaPlayer>(trace);
}

// Replays the trace and frees what it leaves allocated. after_event(index) is called after each event.
template <typename AfterEvent>
void play(const AllocationTrace& trace, Player& player, AfterEvent&& after_event) {
  using Kind = AllocationEvent::Kind;
  std::vector<uint64_t> written(trace.ids);  // bytes of each id
  std::vector<bool> lives(trace.ids);
  for (size_t i = 0; i < trace.events.size(); ++i) {
    const AllocationEvent& event = trace.events[i];
    if (event.kind == Kind::freed) {
      player.free(event.id);
    } else {
      std::byte* data =
          event.kind == Kind::grown ? player.grow(event.id, event.bytes) : player.allocate(event.id, event.bytes);
      for (uint64_t at = (written[event.id] + kPage - 1) / kPage * kPage; at < event.bytes; at += kPage)
        data[at] = std::byte(1);
      written[event.id] = event.bytes;
    }
    lives[event.id] = event.kind != Kind::freed;
    after_event(i);
  }
  for (uint32_t id = trace.ids; id-- > 0;)
    if (lives[id]) player.free(id);
}

void check_room(const AllocationTrace& trace) {
  const uint64_t available = read_system_memory().available_bytes();
  if (trace.peak_live_bytes < available / 2) return;
  throw Error(Code::over_budget, fmt::format("the trace needs at least {}, {} are available",
                                             format_bytes(trace.peak_live_bytes), format_bytes(available)));
}

}  // namespace

std::string_view to_string(ReplayAllocator allocator) {
  if (allocator == ReplayAllocator::malloc) return "malloc";
  return allocator == ReplayAllocator::page_pool ? "page_pool" : "arena";
}

double ReplayResult::fragmentation(uint64_t peak_live_bytes) const {
  if (peak_bytes <= peak_live_bytes) return 0;
  return 1 - static_cast<double>(peak_live_bytes) / static_cast<double>(peak_bytes);
}

std::optional<ReplayResult> replay(const AllocationTrace& trace, ReplayAllocator allocator) {
  check_room(trace);
  if (allocator == ReplayAllocator::arena && !is_stack(trace)) return std::nullopt;
  ReplayResult result;
  result.allocator = allocator;
  ::malloc_trim(0);
  {
    const std::unique_ptr<Player> player = make_player(trace, allocator);
    const auto begin = std::chrono::steady_clock::now();
    play(trace, *player, [](size_t) {});
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
    result.ns_per_operation = elapsed.count() / static_cast<double>(std::max<size_t>(trace.events.size(), 1));
  }
  ::malloc_trim(0);
  const std::unique_ptr<Player> player = make_player(trace, allocator);
  const uint64_t before = anon_bytes();
  uint64_t peak = before;
  play(trace, *player, [&](size_t i) {
    if (i % kEventsPerSample == 0) peak = std::max(peak, anon_bytes());
  });
  result.peak_bytes = peak - before;
  result.left_bytes = std::max(anon_bytes(), before) - before;
  ::malloc_trim(0);
  return result;
}

}  // namespace frugal
