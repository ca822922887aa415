#include "memory/block_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif

namespace frugal {
namespace {

const uint64_t kPageBytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));

void* address_of(std::span<const std::byte> block) {
  return const_cast<std::byte*>(block.data());
}

[[noreturn]] void throw_cut_short(const std::filesystem::path& path) {
  throw Error(Code::corrupt_file, fmt::format("'{}' was cut short while it was in use", path.native()))
      .hint("packs are replaced, never rewritten: make it again with quantize-model");
}

class MappedReader final : public BlockReader {
 public:
  explicit MappedReader(const std::filesystem::path& path) : path_(path) {}
  BlockSource source() const override { return BlockSource::mapped; }

  void read(std::span<const std::byte> block) override {
    ::madvise(address_of(block), block.size(), MADV_WILLNEED);  // one large read where the page cache lacks it
    if (::madvise(address_of(block), block.size(), MADV_POPULATE_READ) == 0) return;
    if (errno == EFAULT) throw_cut_short(path_);
    // A kernel that cannot populate: the pages come as they are touched.
  }
  void drop(std::span<const std::byte> block) noexcept override {
    ::madvise(address_of(block), block.size(), MADV_DONTNEED);
  }

 private:
  std::filesystem::path path_;
};

class DirectReader final : public BlockReader {
 public:
  DirectReader(const MappedFile& file, FileDescriptor fd, std::span<const std::span<const std::byte>> runs)
      : path_(file.path()), base_(file.bytes().data()), fd_(std::move(fd)) {
    for (const std::span<const std::byte> run : runs) {
      void* at = address_of(run);
      if (::mmap(at, run.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                 0) != at)
        throw io_error("lay memory over", path_.native());
      ::madvise(at, run.size(), MADV_NOHUGEPAGE);  // a huge page would hold more than the block that was read
    }
  }
  BlockSource source() const override { return BlockSource::direct; }

  void read(std::span<const std::byte> block) override {
    auto* to = static_cast<std::byte*>(address_of(block));
    uint64_t offset = static_cast<uint64_t>(block.data() - base_);
    for (uint64_t left = block.size(); left > 0;) {
      const ssize_t got = ::pread(fd_.get(), to, left, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw io_error("read", path_.native());
      if (got == 0) throw_cut_short(path_);
      to += got, offset += static_cast<uint64_t>(got), left -= static_cast<uint64_t>(got);
    }
  }
  void drop(std::span<const std::byte> block) noexcept override {
    ::madvise(address_of(block), block.size(), MADV_DONTNEED);
  }

 private:
  std::filesystem::path path_;
  const std::byte* base_;
  FileDescriptor fd_;
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

// A descriptor that reads past the page cache, if the file system has that: the first page is read to see.
FileDescriptor open_direct(const MappedFile& file) {
  FileDescriptor fd(::open(file.path().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!fd || !file.is_open_as(fd.get())) return {};
  void* page = ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return {};
  const ssize_t got = ::pread(fd.get(), page, kPageBytes, 0);
  ::munmap(page, kPageBytes);
  return got > 0 ? std::move(fd) : FileDescriptor();
}

}  // namespace

std::string_view to_string(BlockSource source) {
  static constexpr std::string_view kNames[] = {"auto", "mapped", "direct"};
  return kNames[static_cast<int>(source)];
}

BlockSource parse_block_source(std::string_view name) {
  for (const auto source : {BlockSource::automatic, BlockSource::mapped, BlockSource::direct})
    if (name == to_string(source)) return source;
  throw Error(Code::usage, fmt::format("unknown way of reading '{}'", name)).hint("known: auto, mapped, direct");
}

std::unique_ptr<BlockReader> make_block_reader(const MappedFile& file, std::span<const std::span<const std::byte>> runs,
                                               BlockSource source) {
  if (source == BlockSource::automatic) source = mostly_cached(runs) ? BlockSource::mapped : BlockSource::direct;
  if (source == BlockSource::direct)
    if (FileDescriptor fd = open_direct(file)) return std::make_unique<DirectReader>(file, std::move(fd), runs);
  return std::make_unique<MappedReader>(file.path());
}

}  // namespace frugal
