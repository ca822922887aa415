// The SHA-256 of a checkpoint's files, which names where a pack came from. Hashing reads every byte, so the digests are
// remembered in a stamp beside the pack, with what the file system says about each file; the files are read again only
// when that has changed. The pack itself holds no times and no paths: the same source makes the same bytes anywhere.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

struct SourceFile {
  std::filesystem::path path;
  std::string name;  // within the checkpoint
  uint64_t bytes = 0;
  std::string sha256;
};

struct SourceHash {
  std::vector<SourceFile> files;
  bool from_stamp = false;  // nothing was read

  uint64_t bytes() const;
  /// One line a file, "sha256 bytes name": for a pack's provenance.
  std::string listing() const;
  /// Digest of the files' digests.
  std::string sha256() const;
};

/// Takes the digests from `stamp` if it knows exactly these files, unchanged in size, inode and times; hashes them
/// otherwise. A stamp that is missing or unreadable is as good as none.
SourceHash hash_sources(const Checkpoint& checkpoint, const std::filesystem::path& stamp);

/// Remembers the digests. The caller holds the lock on `stamp`, which is written in place.
void write_stamp(const SourceHash& hash, const std::filesystem::path& stamp);

}  // namespace frugal
