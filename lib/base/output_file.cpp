#include "base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string>

#include "base/ascii.h"
#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as the kernel

// The descriptor of this process that a path names: N of /proc/self/fd/N, to which /dev/fd/N and /dev/stdout lead. It
// must not be opened anew: of a file it would be another position, and of a socket it fails.
std::optional<int> own_descriptor(const fs::path& path) {
  const std::string name = path.filename().native();
  std::error_code unreadable;
  int number = 0;
  if (!is_digits(name) || !fs::equivalent(path.parent_path(), "/proc/self/fd", unreadable)) return std::nullopt;
  const auto [stop, status] = std::from_chars(name.data(), name.data() + name.size(), number);
  return status == std::errc() ? std::optional(number) : std::nullopt;
}

fs::path behind_link(const fs::path& link) {
  std::error_code unreadable;
  const fs::path target = fs::read_symlink(link, unreadable);
  if (unreadable) {
    errno = unreadable.value();
    throw io_error("write", link.native());
  }
  return link.parent_path() / target;  // `target` alone if it is absolute
}

void write_through(int fd, std::span<const std::byte> bytes, const fs::path& named) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EAGAIN) {  // a descriptor that was handed to us as non-blocking
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      throw io_error("write", named.native());
    }
    bytes = bytes.subspan(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
}

}  // namespace

OutputFile::OutputFile(const fs::path& named) : named_(named), path_(named) {
  if (named == "-") descriptor_ = STDOUT_FILENO;
  for (int links = 0; descriptor_ < 0; ++links) {
    if (const std::optional<int> number = own_descriptor(path_)) {
      descriptor_ = *number;
      break;
    }
    struct stat info {};
    if (::lstat(path_.c_str(), &info) != 0) {
      if (errno == ENOENT) return;
      throw io_error("write", named.native());
    }
    if (S_ISDIR(info.st_mode))
      throw Error(Code::bad_input, fmt::format("cannot write '{}': it is a folder", named.native()))
          .hint("name a file");
    if (!S_ISLNK(info.st_mode)) {
      is_stream_ = !S_ISREG(info.st_mode);
      return;
    }
    if (links == kMaxLinks) {
      errno = ELOOP;
      throw io_error("write", named.native());
    }
    path_ = behind_link(path_);
  }
  is_stream_ = true;
}

bool OutputFile::is_standard_output() const {
  return descriptor_ == STDOUT_FILENO;
}

void OutputFile::check() const {
  if (descriptor_ >= 0) {
    const int flags = ::fcntl(descriptor_, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return;
    errno = EBADF;
    throw io_error("write", named_.native());
  }
  if (is_stream_) {
    if (::access(path_.c_str(), W_OK) != 0) throw io_error("write", named_.native());
    return;
  }
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  std::error_code unreadable;
  if (!fs::is_directory(folder, unreadable))
    throw Error(Code::bad_input,
                fmt::format("cannot write '{}': there is no folder '{}'", named_.native(), folder.native()))
        .hint("make the folder, or name another file");
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw io_error("write", named_.native());
}

void OutputFile::write(std::span<const std::byte> bytes) const {
  if (descriptor_ >= 0) return write_through(descriptor_, bytes, named_);
  if (is_stream_) {
    const FileDescriptor fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) throw io_error("write", named_.native());
    return write_through(fd.get(), bytes, named_);
  }
  AtomicFile file(path_);
  file.write(bytes);
  file.publish();
}

void write_output(const fs::path& named, std::string_view text) {
  OutputFile(named).write(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace frugal
