// The ZIP container as torch.save writes it: stored entries, found through the central directory of a mapped file. Not
// a ZIP library: compressed and encrypted entries are refused, and so is everything that two readers could interpret
// differently (overlapping or duplicate entries, bytes after the end). Checksums are not read: they cover every byte of
// the weights, and torch itself may leave them zero.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace frugal {

struct ZipEntry {
  std::string_view name;  // as in the central directory; no file is created by this name, so "../" is harmless
  uint16_t method = 0;    // 0: stored
  uint64_t header_offset = 0;
  uint64_t data_offset = 0;
  uint64_t stored_bytes = 0;
};

class ZipArchive {
 public:
  /// Borrows `file`. Throws Error(corrupt_file | bad_input) naming file, entry, field and offset.
  explicit ZipArchive(const MappedFile& file);

  /// Sorted by name; no name appears twice.
  std::span<const ZipEntry> entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;
  /// The mapped bytes of an entry. Throws Error(bad_input) if it is compressed.
  std::span<const std::byte> data(const ZipEntry& entry) const;

 private:
  const MappedFile& file_;
  std::vector<ZipEntry> entries_;
};

}  // namespace frugal
