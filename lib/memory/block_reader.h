// Brings blocks of a mapped file into memory and lets them go, at the addresses where the map has them.
// mapped: pages of the page cache are mapped; right where the file is cached, and shared with other processes.
// direct: the disk is read past the page cache (O_DIRECT) into memory of our own that lies over the map; right where
//         the file is not cached and would not stay so. On a disk of 2.1 GB/s reading through the map reached 0.25
//         (faults) to 1.5 GB/s (read ahead).
// A file that somebody writes to while it is read is noticed at the next block that is read, not before: mapped pages
// that are resident show the new bytes, or are gone with the end of the file, until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/file.h"

namespace frugal {

enum class BlockSource { automatic, mapped, direct };
std::string_view to_string(BlockSource source);
/// Throws Error(usage) that lists the names.
BlockSource parse_block_source(std::string_view name);

/// Thread-safe for different blocks.
class BlockReader {
 public:
  virtual ~BlockReader() = default;
  virtual BlockSource source() const = 0;
  /// Makes the pages of `block` resident. Throws Error(corrupt_file) if the file is not as it was when it was mapped,
  /// Error(io).
  virtual void read(std::span<const std::byte> block) = 0;
  /// Gives the pages back to the system.
  virtual void drop(std::span<const std::byte> block) noexcept = 0;
  /// drop(from), where its pages may go to `to` instead, which is as long, absent, and will be read or dropped next.
  virtual void recycle(std::span<const std::byte> from, std::span<const std::byte> to) noexcept {
    static_cast<void>(to);
    drop(from);
  }
};

/// Blocks lie in `runs`, spans of file.bytes() whose ends are multiples of the page size. automatic: mapped if most of
/// the runs is in the page cache, else direct where the file system can do it. Needs `file` to stay mapped, not to stay
/// where it is.
std::unique_ptr<BlockReader> make_block_reader(const MappedFile& file, std::span<const std::span<const std::byte>> runs,
                                               BlockSource source);

}  // namespace frugal
