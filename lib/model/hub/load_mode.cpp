// copy_into_memory() reads the file into anonymous memory elsewhere, then moves that over the mapping with
// mremap(MREMAP_FIXED), so the address stays valid. The destructor of MappedFile unmaps the copy like the mapping.
#include "model/hub/load_mode.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace frugal {
namespace {

constexpr LoadMode kModes[] = {LoadMode::mmap, LoadMode::mlock, LoadMode::read, LoadMode::stream, LoadMode::naive};

void read_whole(const std::filesystem::path& path, std::byte* to, size_t bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw io_error("open", path.native());
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(file.get(), to + done, bytes - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw io_error("read", path.native());
    if (got == 0) throw Error(Code::corrupt_file, fmt::format("'{}' became shorter while it was read", path.native()));
    done += static_cast<size_t>(got);
  }
}

}  // namespace

std::string_view to_string(LoadMode mode) {
  switch (mode) {
    case LoadMode::mmap:
      return "mmap";
    case LoadMode::mlock:
      return "mlock";
    case LoadMode::read:
      return "read";
    case LoadMode::stream:
      return "stream";
    case LoadMode::naive:
      return "naive";
  }
  return "";
}

LoadMode parse_load_mode(std::string_view name) {
  for (const LoadMode mode : kModes)
    if (to_string(mode) == name) return mode;
  throw Error(Code::usage, fmt::format("unknown load mode '{}'", name))
      .hint("name one of mmap, mlock, read, stream, naive");
}

std::optional<std::string> lock_in_memory(const MappedFile& file) {
  if (::mlock(file.bytes().data(), file.bytes().size()) == 0) return std::nullopt;
  return fmt::format("the kernel refused to lock it in memory ({}), so it is only mapped; ulimit -l shows the limit",
                     std::strerror(errno));
}

void copy_into_memory(const MappedFile& file) {
  const size_t bytes = file.bytes().size();
  void* copy = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (copy == MAP_FAILED) throw io_error("allocate memory for", file.path().native());
  try {
    read_whole(file.path(), static_cast<std::byte*>(copy), bytes);
  } catch (...) {
    ::munmap(copy, bytes);
    throw;
  }
  ::mprotect(copy, bytes, PROT_READ);
  void* place = const_cast<std::byte*>(file.bytes().data());
  if (::mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
    ::munmap(copy, bytes);
    throw io_error("move into place", file.path().native());
  }
}

}  // namespace frugal
