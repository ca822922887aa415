#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace frugal {
namespace {

// O_NONBLOCK: a FIFO opens at once, and what it is can be seen.
FileDescriptor open_for_reading(const std::filesystem::path& path, struct stat& info) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd || ::fstat(fd.get(), &info) != 0) throw io_error("open", path.native());
  if (S_ISDIR(info.st_mode)) throw Error(Code::bad_input, fmt::format("'{}' is a folder, not a file", path.native()));
  return fd;
}

void set_blocking(const FileDescriptor& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
}

// A FIFO that has a name, and not a pipe of a shell's <(…).
bool is_named_fifo(const FileDescriptor& fd, const struct stat& info) {
  constexpr long kPipeFileSystem = 0x50495045;  // linux/magic.h
  struct statfs system {};
  return S_ISFIFO(info.st_mode) && ::fstatfs(fd.get(), &system) == 0 && system.f_type != kPipeFileSystem;
}

FileStamp stamp_of(const struct stat& info) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  return {static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec * kNanoseconds + info.st_mtim.tv_nsec};
}

void fsync_folder(const std::filesystem::path& folder) {
  FileDescriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) throw io_error("sync folder", folder.native());
}

}  // namespace

void write_all(int fd, std::span<const std::byte> bytes, uint64_t offset, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw io_error("write", path.native());
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

FileStamp file_stamp(const FileDescriptor& fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw io_error("read the status of", "an open file");
  return stamp_of(info);
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  struct stat info {};
  const FileDescriptor fd = open_for_reading(path, info);
  if (!S_ISREG(info.st_mode)) throw Error(Code::bad_input, fmt::format("'{}' is not a regular file", path.native()));
  size_ = static_cast<size_t>(info.st_size);
  device_ = info.st_dev;
  inode_ = info.st_ino;
  stamp_ = stamp_of(info);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) throw io_error("map", path.native());
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      device_(other.device_),
      inode_(other.inode_),
      stamp_(other.stamp_),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    device_ = other.device_;
    inode_ = other.inode_;
    stamp_ = other.stamp_;
    path_ = std::move(other.path_);
  }
  return *this;
}

bool MappedFile::is_open_as(int fd) const {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

MappedFile::~MappedFile() {
  unmap();
}

void MappedFile::unmap() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
}

void MappedFile::release(uint64_t offset, uint64_t length) const {
  // Only whole pages inside the range: a page shared with a neighbour stays.
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = std::min<uint64_t>(offset + length, size_) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::prefetch(uint64_t offset, uint64_t length) const {
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = offset / page * page;
  const uint64_t end = std::min<uint64_t>(offset + length, size_);
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_WILLNEED);
}

namespace {

mode_t mode_by_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

// Throws if something is at `target` that no file may take the place of. Returns the permissions that a new file gets.
mode_t mode_at(const std::filesystem::path& target, FileAccess access) {
  const mode_t fresh = access == FileAccess::owner_only ? 0600 : mode_by_umask();
  struct stat info {};
  if (::lstat(target.c_str(), &info) != 0 || S_ISLNK(info.st_mode)) return fresh;
  if (S_ISDIR(info.st_mode)) throw Error(Code::bad_input, fmt::format("'{}' is a folder, not a file", target.native()));
  if (!S_ISREG(info.st_mode))
    throw Error(Code::bad_input, fmt::format("'{}' is not a regular file and is not replaced", target.native()));
  return access == FileAccess::owner_only ? fresh : info.st_mode & 0777;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target, FileAccess access) : target_(std::move(target)) {
  const mode_t mode = mode_at(target_, access);
  std::string pattern = target_.native() + ".tmp.XXXXXX";
  fd_ = FileDescriptor(::mkostemp(pattern.data(), O_CLOEXEC));  // 0600
  if (!fd_) throw io_error("create", target_.native());
  temporary_ = pattern;
  ::fchmod(fd_.get(), mode);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::reserve(uint64_t bytes) {
  if (bytes == 0) return;
  const int status = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
  if (status == EOPNOTSUPP || status == EINVAL)
    return;  // the file system cannot reserve: write() will report a full disk
  if (status != 0) {
    errno = status;
    throw io_error("reserve space for", target_.native());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(fd_.get(), bytes, offset_, target_);
  offset_ += bytes.size();
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  write_all(fd_.get(), bytes, offset, target_);
}

void AtomicFile::resize(uint64_t bytes) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) throw io_error("resize", target_.native());
  offset_ = bytes;
}

void AtomicFile::publish() {
  if (::ftruncate(fd_.get(), static_cast<off_t>(offset_)) != 0) throw io_error("truncate", temporary_.native());
  // After a failed fsync the pages may be lost although a retry succeeds, so the file is thrown away (destructor).
  if (::fsync(fd_.get()) != 0) throw io_error("sync", target_.native());
  fd_.close();
  mode_at(target_, FileAccess::by_umask);  // what came there since
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw io_error("publish", target_.native());
  temporary_.clear();
  fsync_folder(target_.parent_path());
}

std::string read_file(const std::filesystem::path& path, uint64_t limit) {
  struct stat info {};
  const FileDescriptor fd = open_for_reading(path, info);
  std::string content;
  if (S_ISREG(info.st_mode)) content.reserve(std::min<uint64_t>(static_cast<uint64_t>(info.st_size), limit));
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      set_blocking(fd);
      continue;
    }
    if (got < 0) throw io_error("read", path.native());
    if (got == 0 && content.empty() && is_named_fifo(fd, info))
      throw Error(Code::bad_input, fmt::format("'{}' is a FIFO that no process writes to", path.native()))
          .hint("start its writer first, or name a file");
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > limit)
      throw Error(Code::bad_input, fmt::format("'{}' is larger than {} bytes", path.native(), limit));
    content.append(buffer.data(), static_cast<size_t>(got));
  }
}

std::string read_to_end(const FileDescriptor& fd) {
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(got));
  }
}

void create_private_folders(const std::filesystem::path& folder) {
  std::filesystem::path made;
  for (const std::filesystem::path& name : folder) {
    made /= name;
    std::error_code unreadable;
    if (std::filesystem::is_directory(made, unreadable)) continue;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) throw io_error("create", folder.native());
  }
  std::error_code unreadable;
  if (!folder.empty() && !std::filesystem::is_directory(folder, unreadable)) {
    errno = ENOTDIR;
    throw io_error("create", folder.native());
  }
}

ScratchFolder::ScratchFolder() {
  std::error_code unknown;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(unknown);
  std::string pattern = ((unknown ? std::filesystem::path("/tmp") : parent) / "frugal.XXXXXX").native();
  if (!::mkdtemp(pattern.data())) throw io_error("create", pattern);
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

// Not through a link, which may lead to a file that is precious; the file is this user's alone, since every process
// that can open it can hold the lock.
FileDescriptor open_lock(const std::filesystem::path& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) throw io_error("lock", path.native());
  if (!S_ISREG(info.st_mode)) throw Error(Code::io, fmt::format("cannot lock '{}': no regular file", path.native()));
  return fd;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path) : path_(path) {
  // The file may be removed between its opening and its locking; the lock would be of a file that no other finds.
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    fd_ = open_lock(path);
    const bool taken = ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0;
    if (taken && errno != EWOULDBLOCK) throw io_error("lock", path.native());
    if (taken) break;
    if (is_current()) return;
  }
  throw Error(Code::bad_input, fmt::format("'{}' is in use by another process", path.native()))
      .hint("wait for the other writer to finish; readers are not affected");
}

bool FileLock::is_current() const {
  struct stat locked {
  }, there{};
  return ::fstat(fd_.get(), &locked) == 0 && ::lstat(path_.c_str(), &there) == 0 && locked.st_dev == there.st_dev &&
         locked.st_ino == there.st_ino;
}

void FileLock::write(std::string_view text) {
  if (::ftruncate(fd_.get(), 0) != 0) throw io_error("write", path_.native());
  write_all(fd_.get(), std::as_bytes(std::span(text.data(), text.size())), 0, path_);
}

}  // namespace frugal
