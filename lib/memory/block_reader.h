// Reads blocks of a mapped file into memory and drops them, at the addresses of the mapping.
// mapped: maps pages of the page cache. Right for a cached file; the pages are shared with other processes.
// direct: reads the disk past the page cache (O_DIRECT) into private memory that lies over the mapping. Right for a
// file
//         that is not cached and would not stay cached. On a disk of 2.1 GB/s, reads through the mapping reached 0.25
//         (faults) to 1.5 GB/s (readahead).
// A change of the file while it is used is noticed at the next read of a block, not before: until then, resident mapped
// pages show the new bytes, or fault if the file is now shorter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/file.h"
#include "base/setting.h"

namespace frugal {

enum class BlockSource { automatic, mapped, direct };
constexpr std::array<Named<BlockSource>, 3> names_of(BlockSource) {
  return {{{BlockSource::automatic, "auto"}, {BlockSource::mapped, "mapped"}, {BlockSource::direct, "direct"}}};
}

/// Thread-safe for different blocks.
class BlockReader {
 public:
  virtual ~BlockReader() = default;
  virtual BlockSource source() const = 0;
  /// Makes the pages of `block` resident. Throws Error(corrupt_file) if the file changed since it was mapped,
  /// Error(io).
  virtual void read(std::span<const std::byte> block) = 0;
  /// Returns the pages to the system.
  virtual void drop(std::span<const std::byte> block) noexcept = 0;
  /// drop(from), except that its pages may move to `to`, which is as long, absent, and will be read or dropped next.
  virtual void recycle(std::span<const std::byte> from, std::span<const std::byte> to) noexcept {
    static_cast<void>(to);
    drop(from);
  }
};

/// Blocks lie in `runs`, spans of file.bytes() whose ends are multiples of the page size. automatic: mapped if most of
/// the runs is in the page cache, else direct where the file system supports it. The mapping of `file` must outlive the
/// reader, the MappedFile object need not.
std::unique_ptr<BlockReader> make_block_reader(const MappedFile& file, std::span<const std::span<const std::byte>> runs,
                                               BlockSource source);

}  // namespace frugal
