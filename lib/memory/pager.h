// Weights that may not all be resident: kept within a budget, prefetched before their use, evicted when other memory
// needs the room. They stay at the addresses where the file is mapped, so the code that computes with them keeps its
// pointers, and holds a Pin while it reads. A model that fits is mapped and left alone: a pin then costs one load of an
// atomic. Tables with random access (embeddings by row) are read on demand, and are the first to be evicted.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "memory/block_reader.h"
#include "memory/budget.h"
#include "memory/page_policy.h"
#include "telemetry/metrics.h"

namespace frugal {

struct PagerOptions {
  PagePolicyKind policy = PagePolicyKind::predictive;
  BlockSource source = BlockSource::automatic;
  int readers = 2;            // threads that prefetch, if the policy predicts the next block; 0: no prefetch
  bool record_trace = false;  // for simulate_reads
  /// Upper limit of the resident blocks beside the window, however large the budget is.
  uint64_t max_resident_bytes = ~uint64_t(0);
  /// A parameter for the tests, whose readers may fail.
  std::function<decltype(make_block_reader)> open_reader = make_block_reader;

  template <typename F>
  void visit(F&& f) {
    f("memory.page_policy", policy,
      {"policy that chooses the weights to evict if not all fit: predictive, lru, clock"});
    f("memory.page_source", source,
      {"how evicted weights are read again: mapped (through the page cache), direct (past it), auto (mapped if most "
       "are cached)"});
  }
};

struct PagerStats {
  uint64_t total_bytes = 0;  // of all blocks
  uint64_t fixed_bytes = 0;  // never evicted: weights too small for a block, and pages shared by two weights
  uint64_t resident_bytes = 0, capacity_bytes = 0;
  uint64_t read_bytes = 0;  // since the start, prefetched or on demand
  int64_t read_blocks = 0;
  int64_t pins = 0, waited = 0;  // blocks pinned; those that were not resident yet
  int64_t paging_ns = 0;         // since paging began
  int64_t reading_ns = 0;        // the part with at least one request under way, moving its pages included
  bool paging = false;           // false: everything fits
  BlockSource source = BlockSource::mapped;
  double hit_rate() const { return pins == 0 ? 1 : 1 - static_cast<double>(waited) / static_cast<double>(pins); }
};

class Pager final : public Reclaimer, public MetricSource {
 public:
  static constexpr uint64_t kBlockBytes = 256 * 1024;
  /// At most this much in one pin.
  static constexpr uint64_t kMaxPinBytes = 1024 * 1024;
  /// Blocks that the predictive policy keeps free for prefetching.
  static constexpr int32_t kWindow = 16;

  /// `weights` are spans of file.bytes(), disjoint and ordered by address, each only read under a pin. The rest of the
  /// file, and the ends of weights that fill no block, always stay resident. Reserves what the budget has free, at most
  /// the whole file. Throws Error(over_budget) if it lacks room for the resident part and a paging window. Borrows
  /// `budget`; the mapping of `file` must outlive the pager, the MappedFile object need not.
  Pager(const MappedFile& file, std::span<const std::span<const std::byte>> weights, Budget& budget,
        const PagerOptions& options = {});
  ~Pager() override;
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

  /// Keeps blocks resident while it lives.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&& other) noexcept
        : pager_(std::exchange(other.pager_, nullptr)), first_(other.first_), last_(other.last_) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (pager_) pager_->unpin(first_, last_);
    }

   private:
    friend class Pager;
    Pin(Pager* pager, int32_t first, int32_t last) : pager_(pager), first_(first), last_(last) {}
    Pager* pager_ = nullptr;
    int32_t first_ = 0, last_ = 0;
  };
  enum class Use { in_order, random };
  /// Returns once `bytes`, at most kMaxPinBytes within one of the weights, are resident. Use::random does not enter the
  /// order from which the policy predicts. Thread-safe. Throws what BlockReader::read throws.
  Pin pin(std::span<const std::byte> bytes, Use use = Use::in_order) {
    return paging_.load(std::memory_order_acquire) ? pin_blocks(bytes, use) : Pin();
  }

  uint64_t reclaim(uint64_t bytes) override;
  void report(MetricSink& sink) const override;
  PagerStats stats() const;
  /// Blocks in the order of their use, if recorded.
  std::vector<int32_t> trace() const;
  int32_t blocks() const { return static_cast<int32_t>(blocks_.size()); }

 private:
  // A block in `leaving` or `reading` belongs to the thread that moves its pages; other threads wait for it.
  enum class State : uint8_t { absent, leaving, reading, resident };
  struct Block {
    std::span<const std::byte> bytes;
    State state = State::absent;
    uint16_t pins = 0;
  };
  using Lock = std::unique_lock<std::mutex>;
  using Numbers = std::vector<int32_t>;  // of blocks
  using Clock = std::chrono::steady_clock;

  Block& block(int32_t b) { return blocks_[static_cast<size_t>(b)]; }
  uint64_t max_bytes() const;
  void cut_into_blocks(std::span<const std::span<const std::byte>> weights);
  void reserve(std::string_view name);
  uint64_t room_bytes() const { return reservation_.bytes() - fixed_bytes_; }
  void start_paging();
  std::pair<int32_t, int32_t> blocks_of(std::span<const std::byte> bytes) const;
  std::vector<std::span<const std::byte>> spans_of(const Numbers& numbers);
  Pin pin_blocks(std::span<const std::byte> bytes, Use use);
  void unpin(int32_t first, int32_t last);
  void wait_for(Lock& lock, int32_t first, int32_t last);
  bool make_room(uint64_t bytes, int32_t replacement, Numbers& victims);
  bool choose_victims(uint64_t keep_bytes, int32_t replacement, Numbers& victims);
  void drop(Lock& lock, Numbers victims);
  void take(int32_t b, Numbers& taken);
  void replace(Lock& lock, Numbers victims, const Numbers& taken);
  void begin_request();
  void end_request();
  void hand_over(const Numbers& victims, const Numbers& taken);
  void finish_read(int32_t b, bool ok);
  void wake_readers(int32_t blocks);
  void prefetch();
  bool prefetch_request(Lock& lock);

  Budget& budget_;
  PagerOptions options_;
  std::vector<std::span<const std::byte>> runs_;  // neighbouring blocks without a gap
  std::vector<Block> blocks_;                     // by address
  uint64_t total_bytes_ = 0, fixed_bytes_ = 0, min_bytes_ = 0;
  Reservation reservation_;  // the fixed bytes and the room for blocks

  std::atomic<bool> paging_{false};
  mutable std::mutex mutex_;
  std::condition_variable settled_;    // a block finished leaving or reading, or failed to be read
  std::condition_variable evictable_;  // there is room for a request of a reader thread
  std::unique_ptr<PagePolicy> policy_;
  std::unique_ptr<BlockReader> reader_;
  uint64_t resident_bytes_ = 0, read_bytes_ = 0;  // blocks being read count as resident, leaving ones do not
  int64_t pins_ = 0, waited_ = 0, read_blocks_ = 0;
  int32_t requests_ = 0;                  // under way
  Clock::time_point began_, busy_since_;  // paging; a request, if one is under way
  Clock::duration reading_{};             // with requests under way, up to the last moment without any
  std::vector<int32_t> trace_;
  bool stop_ = false;
  int32_t unpinned_ = 0;  // blocks unpinned since a reader thread last looked, at most a request's worth
  int32_t waiting_ = 0;   // threads in wait_for()
  std::vector<std::thread> readers_;
};

}  // namespace frugal
