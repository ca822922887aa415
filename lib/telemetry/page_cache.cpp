#include "telemetry/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

FileDescriptor open_file(const fs::path& path, struct stat& info) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fstat(fd.get(), &info) != 0) throw io_error("open", path.native());
  return fd;
}

}  // namespace

std::optional<Residency> page_cache_residency(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  // For other users mincore() claims that every page is resident (Linux 5.2, against cache side channels).
  if (info.st_uid != ::geteuid() && ::access(file.c_str(), W_OK) != 0) return std::nullopt;
  Residency residency;
  residency.file_bytes = static_cast<uint64_t>(info.st_size);
  if (residency.file_bytes == 0) return residency;
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  void* mapped = ::mmap(nullptr, residency.file_bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) throw io_error("map", file.native());
  std::vector<unsigned char> pages((residency.file_bytes + page - 1) / page);
  const int status = ::mincore(mapped, residency.file_bytes, pages.data());
  ::munmap(mapped, residency.file_bytes);
  if (status != 0) return std::nullopt;
  const auto resident = std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
  residency.resident_bytes = std::min(static_cast<uint64_t>(resident) * page, residency.file_bytes);
  return residency;
}

std::optional<Residency> page_cache_residency(std::span<const fs::path> files) {
  Residency total;
  for (const fs::path& file : files) {
    const std::optional<Residency> one = page_cache_residency(file);
    if (!one) return std::nullopt;
    total.file_bytes += one->file_bytes;
    total.resident_bytes += one->resident_bytes;
  }
  return total;
}

void prefetch_into_page_cache(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  if (const int status = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_WILLNEED)) {
    errno = status;
    throw io_error("read ahead", file.native());
  }
}

void drop_from_page_cache(const fs::path& file) {
  struct stat info {};
  const FileDescriptor fd = open_file(file, info);
  // Dirty pages are not dropped, so they are written first.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) throw io_error("sync", file.native());
  if (const int status = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED)) {
    errno = status;
    throw io_error("drop from the page cache", file.native());
  }
}

}  // namespace frugal
