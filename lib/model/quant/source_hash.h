// The SHA-256 of a checkpoint's files, which identifies the source of a pack. Hashing reads every byte, so the digests
// are cached in a stamp beside the pack, together with the state of each file (size, inode, times). The files are read
// again only if that state has changed. The pack itself contains neither times nor absolute paths, so the same source
// gives the same bytes anywhere.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/format/checkpoint.h"

namespace frugal {

struct SourceFile {
  std::filesystem::path path;
  std::string name;  // path relative to the folder of the checkpoint's first file
  uint64_t bytes = 0;
  std::string state;  // size, inode and times when the file was listed
  std::string sha256;
};

struct SourceHash {
  std::vector<SourceFile> files;
  bool from_stamp = false;  // the digests come from the stamp; no file was read

  uint64_t bytes() const;
  /// One line for each file, "sha256 bytes name", for a pack's provenance.
  std::string listing() const;
  /// The digest of the files' digests.
  std::string sha256() const;
};

/// The checkpoint's files in their present state, without digests. List them as soon as the checkpoint is open: what
/// is read of it afterwards is what these states describe, or require_unchanged() throws.
std::vector<SourceFile> list_sources(const Checkpoint& checkpoint);

/// Takes the digests from `stamp` if it lists exactly these files in these states; otherwise hashes the files. A stamp
/// that is missing or cannot be read is ignored. Throws Error(io), and Error(bad_input) if a file has changed since it
/// was listed.
SourceHash hash_sources(std::vector<SourceFile> files, const std::filesystem::path& stamp);

/// Throws Error(bad_input) if a file is not in the state in which it was listed: replaced, rewritten or touched.
void require_unchanged(std::span<const SourceFile> files);

/// Writes the digests to `stamp`, the locked file itself. Ignores a failure to write.
void write_stamp(const SourceHash& hash, FileLock& stamp);

}  // namespace frugal
