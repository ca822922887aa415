// Which block of a file that does not fit should go, and how far each choice is from the best one.
// A model's weights are read in the same order for every token, so what was used last is what is needed last: least
// recently used is the worst choice there is, and an order that was seen once tells the future.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace frugal {

enum class PagePolicyKind { predictive, lru, clock };
std::string_view to_string(PagePolicyKind kind);
/// Throws Error(usage) that lists the names.
PagePolicyKind parse_page_policy(std::string_view name);

/// Blocks are numbered from 0 in the order of the file. What a call costs does not grow with their number, but for one
/// a pass. Not thread-safe.
class PagePolicy {
 public:
  using May = std::function<bool(int32_t block)>;
  virtual ~PagePolicy() = default;
  /// Block `block` is being used.
  virtual void touch(int32_t block) = 0;
  /// It takes room from now on: it is resident or being read.
  virtual void enter(int32_t block) = 0;
  /// It was given up, or could not be read.
  virtual void leave(int32_t block) = 0;
  /// How many blocks may be resident from now on.
  virtual void set_capacity(int32_t blocks) = 0;
  /// The block to give up of those that take room and may go; -1 if none may. `in_favour_of`: the block that is to be
  /// read ahead in its place, which must not be needed later than the victim is; -1: one that is needed now.
  virtual int32_t victim(const May& may, int32_t in_favour_of = -1) = 0;
  /// The next block in the order of use that takes no room and is worth reading ahead; -1 if none is. Only the
  /// predictive policy knows.
  virtual int32_t next() { return -1; }
};
/// `window`: blocks that `predictive` keeps free to read ahead into.
std::unique_ptr<PagePolicy> make_page_policy(PagePolicyKind kind, int32_t blocks, int32_t window);

/// Blocks that have to be read for `trace` with room for `capacity`, each when it is asked for. nullopt kind: Belady's
/// optimum, which knows the whole trace (Belady 1966): no policy reads less.
int64_t simulate_reads(std::optional<PagePolicyKind> kind, std::span<const int32_t> trace, int32_t blocks,
                       int32_t capacity, int32_t window = 4);

}  // namespace frugal
