// Files: mapped read-only, read at once, or published whole. Not a stream library: a file is written in order or at
// offsets and appears under its name when it is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace frugal {

/// A file descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// Writes all bytes at `offset`, however often that is interrupted. Throws Error(io) that names `path`.
void write_all(int fd, std::span<const std::byte> bytes, uint64_t offset, const std::filesystem::path& path);

/// Changes when the file is written: its size and modification time.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
/// The stamp of an open file. Throws Error(io).
FileStamp file_stamp(const FileDescriptor& fd);

/// A whole file mapped read-only and shared. An empty file gives an empty span.
/// Throws Error(io) if it cannot be opened, Error(bad_input) if it is not a regular file.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  /// The stamp at the time of mapping.
  const FileStamp& stamp() const { return stamp_; }
  /// True if `fd` is the mapped file, and not a newer file of the same name.
  bool is_open_as(int fd) const;
  /// Releases the pages of [offset, offset + length) from this process, not from the page cache.
  void release(uint64_t offset, uint64_t length) const;
  /// Prefetches [offset, offset + length) into the page cache.
  void prefetch(uint64_t offset, uint64_t length) const;

 private:
  void unmap();
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  uint64_t device_ = 0, inode_ = 0;
  FileStamp stamp_;
  std::filesystem::path path_;
};

/// Who may read a new file: as the user's umask says, or its owner alone.
enum class FileAccess { by_umask, owner_only };

/// Writes a file that appears whole or not at all: temp file in the same folder → fsync → rename → fsync of the folder.
/// A file that it replaces hands on its permissions; a link is replaced, not followed; a device, FIFO or socket is
/// never replaced (output_file.h writes through them). Destroyed without publish(), it leaves nothing behind. Throws
/// Error(io), Error(bad_input) if the target is none of its kind.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target, FileAccess access = FileAccess::by_umask);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Allocates `bytes` of disk now, so that a full disk fails before the work and not after it.
  void reserve(uint64_t bytes);
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  /// Writes at an offset; offset() does not move, so resize() sets the file's length. Thread-safe.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  /// Sets the file's length to `bytes`.
  void resize(uint64_t bytes);
  uint64_t offset() const { return offset_; }
  /// The file's path until publish(), for a writer that reads back its own output.
  const std::filesystem::path& temporary() const { return temporary_; }
  /// fsync, rename to the target, fsync of the folder.
  void publish();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  FileDescriptor fd_;
  uint64_t offset_ = 0;
};

/// The whole content; of a pipe, what comes until its writers are gone. Throws Error(io), or Error(bad_input) if the
/// file is larger than `limit` bytes, or a FIFO that no process has opened to write: it would be waited for without
/// end.
std::string read_file(const std::filesystem::path& path, uint64_t limit = uint64_t(1) << 32);
/// Reads a pipe until its other end is closed, or until reading fails.
std::string read_to_end(const FileDescriptor& fd);

/// Makes `folder` and its parents where they are missing, for this user alone (0700). Throws Error(io).
void create_private_folders(const std::filesystem::path& folder);

/// A new, empty, private folder in the system's folder for temporary files, gone with its owner. Throws Error(io).
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// An exclusive advisory lock (flock) on `path`, a file of its own that is created if needed, for this user alone. Held
/// until destroyed.
class FileLock {
 public:
  /// Throws Error(io) if the file cannot be created or is a link, Error(bad_input) "in use by another process" if the
  /// lock is taken.
  explicit FileLock(const std::filesystem::path& path);

  /// True if the locked file is still the one at its path: if it was removed, others can lock a new one.
  bool is_current() const;
  /// Replaces what the locked file holds. Throws Error(io).
  void write(std::string_view text);

 private:
  std::filesystem::path path_;
  FileDescriptor fd_;
};

}  // namespace frugal
