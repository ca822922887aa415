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

/// Writes a file that appears whole or not at all: temp file in the same folder → fsync → rename → fsync of the folder.
/// Destroyed without publish(), it leaves nothing behind. Throws Error(io).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
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

/// Publishes a file at `path` with the content `text`, by AtomicFile. Throws Error(io).
void publish_file(const std::filesystem::path& path, std::string_view text);

/// The whole content. Throws Error(io), or Error(bad_input) if the file is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, uint64_t limit = uint64_t(1) << 32);
/// Reads a pipe until its other end is closed, or until reading fails.
std::string read_to_end(const FileDescriptor& fd);

/// An exclusive advisory lock (flock) on `path`, which is created if needed. Held until destroyed.
class FileLock {
 public:
  /// Throws Error(io) if the file cannot be created, Error(bad_input) "in use by another process" if the lock is taken.
  explicit FileLock(const std::filesystem::path& path);

  /// False if the path no longer names the locked file: another process can hold a lock at the same path.
  bool is_current() const;

 private:
  std::filesystem::path path_;
  FileDescriptor fd_;
};

}  // namespace frugal
