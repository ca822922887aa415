// Which block of a file to evict when it does not fit, and how far each policy is from the optimum.
// A model's weights are read in the same order for every token, so the block used longest ago is the one needed next:
// LRU is the worst choice there is, and one pass predicts all later ones.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/setting.h"

namespace frugal {

enum class PagePolicyKind { predictive, lru, clock };
constexpr std::array<Named<PagePolicyKind>, 3> names_of(PagePolicyKind) {
  return {{{PagePolicyKind::predictive, "predictive"}, {PagePolicyKind::lru, "lru"}, {PagePolicyKind::clock, "clock"}}};
}

/// Blocks are numbered from 0 in the order of the file. The cost of a call does not grow with their number,
/// except for one O(n) call per pass. Not thread-safe.
class PagePolicy {
 public:
  using CanEvict = std::function<bool(int32_t block)>;
  virtual ~PagePolicy() = default;
  /// Block `block` is being used.
  virtual void touch(int32_t block) = 0;
  /// The block takes room from now on: it is resident or being read.
  virtual void enter(int32_t block) = 0;
  /// The block was evicted, or could not be read.
  virtual void leave(int32_t block) = 0;
  /// Number of blocks that may be resident from now on.
  virtual void set_capacity(int32_t blocks) = 0;
  /// The block to evict among those that take room and that `can_evict` admits; -1 if there is none. `replacement`: the
  /// block to prefetch in its place, which must not be needed later than the victim; -1: a block that is needed now.
  virtual int32_t victim(const CanEvict& can_evict, int32_t replacement = -1) = 0;
  /// The next block in the order of use that takes no room and is worth a prefetch; -1 if there is none. Only the
  /// predictive policy has one.
  virtual int32_t next() { return -1; }
};
/// `window`: blocks that `predictive` keeps free for prefetching.
std::unique_ptr<PagePolicy> make_page_policy(PagePolicyKind kind, int32_t blocks, int32_t window);

/// Number of blocks read for `trace` with room for `capacity`, each on demand. nullopt kind: Belady's optimum, which
/// knows the whole trace (Belady 1966): no policy reads less.
int64_t simulate_reads(std::optional<PagePolicyKind> kind, std::span<const int32_t> trace, int32_t blocks,
                       int32_t capacity, int32_t window = 4);

}  // namespace frugal
