#include "memory/block_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/error.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4  // Linux 5.7
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif

namespace frugal {
namespace {

const uint64_t kPageBytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
// Larger files are not recycled: every block may become a mapping of its own, of which Linux allows 65,530 a process;
// blocks of 256 KiB then use half of them.
constexpr uint64_t kMaxRecycledBytes = uint64_t(8) << 30;

void* address_of(std::span<const std::byte> block) {
  return const_cast<std::byte*>(block.data());
}

// The mapped file, opened once more: detects whether it was written to since.
class WatchedFile {
 public:
  /// `flags`: for open(2). Holds no descriptor if the file cannot be opened, or was replaced by another of its name.
  WatchedFile(const MappedFile& file, int flags)
      : path_(file.path()), stamp_(file.stamp()), fd_(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC | flags)) {
    if (fd_ && !file.is_open_as(fd_.get())) fd_.close();
  }

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return bool(fd_); }
  const std::filesystem::path& path() const { return path_; }

  void check_unchanged() const {
    if (!fd_) return;
    const FileStamp now = file_stamp(fd_);
    if (now.bytes < stamp_.bytes) throw_changed("cut short");
    if (now != stamp_) throw_changed("written to");
  }
  [[noreturn]] void throw_changed(std::string_view what) const {
    throw Error(Code::corrupt_file, fmt::format("'{}' was {} while it was in use", path_.native(), what))
        .hint("packs are replaced, never rewritten: make it again with quantize-model");
  }

 private:
  std::filesystem::path path_;
  FileStamp stamp_;
  FileDescriptor fd_;
};

class MappedReader final : public BlockReader {
 public:
  explicit MappedReader(const MappedFile& file) : file_(file, 0) {}
  BlockSource source() const override { return BlockSource::mapped; }

  void read(std::span<const std::byte> block) override {
    ::madvise(address_of(block), block.size(), MADV_WILLNEED);  // one large read where the page cache lacks it
    const int status = ::madvise(address_of(block), block.size(), MADV_POPULATE_READ);
    if (status != 0 && errno == EFAULT) file_.throw_changed("cut short");
    // Kernels that cannot populate: the pages fault in on first touch.
    file_.check_unchanged();
  }
  void drop(std::span<const std::byte> block) noexcept override {
    ::madvise(address_of(block), block.size(), MADV_DONTNEED);
  }

 private:
  WatchedFile file_;
};

// Memory without pages at the place of `bytes`.
bool lay_memory_over(std::span<const std::byte> bytes) {
  void* at = address_of(bytes);
  if (::mmap(at, bytes.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) != at)
    return false;
  ::madvise(at, bytes.size(), MADV_NOHUGEPAGE);  // a huge page would hold more than the block that was read
  return true;
}

class DirectReader final : public BlockReader {
 public:
  DirectReader(const MappedFile& mapped, WatchedFile file, std::span<const std::span<const std::byte>> runs)
      : file_(std::move(file)), base_(mapped.bytes().data()) {
    uint64_t bytes = 0;
    for (const std::span<const std::byte> run : runs) {
      if (!lay_memory_over(run)) throw io_error("lay memory over", file_.path().native());
      bytes += run.size();
    }
    recycles_ = bytes <= kMaxRecycledBytes;
  }
  BlockSource source() const override { return BlockSource::direct; }

  void read(std::span<const std::byte> block) override {
    auto* to = static_cast<std::byte*>(address_of(block));
    uint64_t offset = static_cast<uint64_t>(block.data() - base_);
    for (uint64_t left = block.size(); left > 0;) {
      const ssize_t got = ::pread(file_.fd(), to, left, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        const int reason = errno;
        file_.check_unchanged();  // a file that no longer ends at a whole page cannot be read like this
        errno = reason;
        throw io_error("read", file_.path().native());
      }
      if (got == 0) file_.throw_changed("cut short");
      to += got, offset += static_cast<uint64_t>(got), left -= static_cast<uint64_t>(got);
    }
    file_.check_unchanged();
  }
  void drop(std::span<const std::byte> block) noexcept override {
    ::madvise(address_of(block), block.size(), MADV_DONTNEED);
  }
  // Freeing pages and faulting in zeroed ones elsewhere costs 40 ms for 80 MB here, moving them 1 ms
  // (docs/design/0019).
  void recycle(std::span<const std::byte> from, std::span<const std::byte> to) noexcept override {
    constexpr int kMove = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    void* at = address_of(to);
    if (recycles_) {
      if (::mremap(address_of(from), from.size(), to.size(), kMove, at) == at) return;
      recycles_ = false;
      lay_memory_over(to);  // the failed move may have unmapped it
    }
    drop(from);
  }

 private:
  WatchedFile file_;
  const std::byte* base_;
  std::atomic<bool> recycles_{false};  // until the kernel refuses once
};

bool mostly_cached(std::span<const std::span<const std::byte>> runs) {
  uint64_t pages = 0, cached = 0;
  std::vector<unsigned char> present;
  for (const std::span<const std::byte> run : runs) {
    present.resize(run.size() / kPageBytes);
    if (::mincore(address_of(run), run.size(), present.data()) != 0) return true;
    for (const unsigned char page : present) cached += page & 1;
    pages += present.size();
  }
  return cached * 10 >= pages * 9;
}

// Whether `file` can be read past the page cache: tries its first page.
bool reads_directly(const WatchedFile& file) {
  if (!file) return false;
  void* page = ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const ssize_t got = ::pread(file.fd(), page, kPageBytes, 0);
  ::munmap(page, kPageBytes);
  return got > 0;
}

}  // namespace

std::unique_ptr<BlockReader> make_block_reader(const MappedFile& file, std::span<const std::span<const std::byte>> runs,
                                               BlockSource source) {
  if (source == BlockSource::automatic) source = mostly_cached(runs) ? BlockSource::mapped : BlockSource::direct;
  if (source == BlockSource::direct)
    if (WatchedFile direct(file, O_DIRECT); reads_directly(direct))
      return std::make_unique<DirectReader>(file, std::move(direct), runs);
  return std::make_unique<MappedReader>(file);
}

}  // namespace frugal
