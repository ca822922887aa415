// A file holds the rows of one block of 64 tokens, as KvCache::save() copies them, after a header of 64 bytes:
//
//   offset  0  "FRUGALKV"
//           8  bytes of the rows that follow
//          16  key
//          48  checksum of the rows
//          56  checksum of the header up to here
//
// Its name is its key. Keys form a chain: a block's key is the SHA-256 of the key before it and the tokens of the
// block, and the chain begins with the hash of the model and of everything else that the bits of a row depend on
// (KvCache::row_identity). So a key determines the rows, and prompts with the same start share files. Rows that are
// restored are those that would have been computed (docs/design/0016).
//
// restore() follows the chain until a file is missing or damaged. A file is read whole into reserved memory, and header
// and checksum are verified there: if another process changes the file meanwhile, the change is detected or has no
// effect. A damaged file is removed.
//
// keep() evicts what is over the limit, then writes the missing blocks, each to a temporary file that is renamed when
// it is complete. The temporary files of killed processes are removed after an hour.
//
// Eviction is LRU by the files' modification times, which mark_used() sets. Along a prompt they decrease by a
// microsecond from block to block, so that its end is evicted before its start, which is of use without the end.
//
// There are no locks. Processes that write at the same time may exceed the limit until the next keep().
#include "model/generate/prefix_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "memory/page_pool.h"
#include "model/nn/kv_cache.h"

namespace frugal {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are little-endian");

constexpr std::string_view kVersion = "frugal-prefix/1";
constexpr std::string_view kSuffix = ".kv";
// Age at which a temporary file is taken for abandoned; longer than any write takes.
constexpr time_t kAbandonedSeconds = 3600;

struct Header {
  char magic[8];
  uint64_t rows_bytes;
  std::array<uint8_t, 32> key;
  uint64_t rows_checksum;
  uint64_t header_checksum;
};
static_assert(sizeof(Header) == 64);
constexpr char kMagic[8] = {'F', 'R', 'U', 'G', 'A', 'L', 'K', 'V'};

uint64_t header_checksum(const Header& header) {
  return checksum64(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
}

bool is_header_of(const Header& header, const std::array<uint8_t, 32>& key, uint64_t rows_bytes) {
  return header.header_checksum == header_checksum(header) && std::memcmp(header.magic, kMagic, sizeof kMagic) == 0 &&
         header.rows_bytes == rows_bytes && header.key == key;
}

bool read_all(int fd, std::span<std::byte> to, uint64_t offset) {
  while (!to.empty()) {
    const ssize_t got = ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to = to.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return true;
}

// Memory of one block's rows, reserved before it is allocated.
class BlockRows {
 public:
  BlockRows(uint64_t bytes, Budget& budget)
      : memory_(budget.pool(MemoryTag::io).make(bytes, "a block of the prefix cache")), bytes_(bytes) {}
  std::span<std::byte> bytes() { return {memory_.get(), bytes_}; }

 private:
  PagePool::Block memory_;
  uint64_t bytes_;
};

uint64_t block_bytes(const KvCache& cache) {
  return static_cast<uint64_t>(kPrefixBlockTokens) * cache.bytes_per_token();
}

struct Entry {
  std::filesystem::path path;
  timespec used;
  uint64_t bytes;
};

// The stored blocks. Removes abandoned temporary files.
std::vector<Entry> list_entries(const std::filesystem::path& folder) {
  std::vector<Entry> entries;
  std::error_code ignored;
  const time_t now = ::time(nullptr);
  for (const std::filesystem::path& file : folder_entries(folder)) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (file.extension() == kSuffix)
      entries.push_back({file, info.st_mtim, static_cast<uint64_t>(info.st_size)});
    else if (file.native().find(".kv.tmp.") != std::string::npos && info.st_mtim.tv_sec + kAbandonedSeconds < now)
      std::filesystem::remove(file, ignored);
  }
  return entries;
}

// Leaves half of the free disk space to other programs.
void require_disk_room(const std::filesystem::path& folder, uint64_t bytes) {
  std::error_code unknown;
  const std::filesystem::space_info disk = std::filesystem::space(folder, unknown);
  if (!unknown && disk.available / 2 < bytes)
    throw Error(Code::io, fmt::format("the blocks take {}, more than half of the {} that are free on the disk of '{}'",
                                      format_bytes(bytes), format_bytes(disk.available), folder.native()));
}

}  // namespace

PrefixCache::PrefixCache(std::filesystem::path folder, uint64_t max_bytes, Budget& budget)
    : folder_(std::move(folder)), max_bytes_(max_bytes), budget_(budget) {
  metric_registry().add(*this);
}

PrefixCache::~PrefixCache() {
  metric_registry().remove(*this);
}

void PrefixCache::report(MetricSink& sink) const {
  const auto restored = static_cast<double>(restored_tokens_), total = static_cast<double>(prompt_tokens_);
  sink.counter("frugal_prefix_cache_restored_tokens_total", "Tokens of prompts restored from the prefix cache",
               restored);
  sink.ratio("frugal_prefix_cache_hit_ratio", "Share of the tokens of prompts restored from the prefix cache", restored,
             total);
}

int64_t PrefixCache::restore(std::string_view model, std::span<const TokenId> prompt, KvCache& cache) const {
  FRUGAL_CHECK(cache.length() == 0);
  prompt_tokens_ += static_cast<int64_t>(prompt.size());
  const std::vector<Key> keys = block_keys(model, prompt, cache);
  if (keys.empty() || ::access(path_of(keys.front()).c_str(), R_OK) != 0) return 0;
  size_t restored = 0;
  try {
    BlockRows rows(block_bytes(cache), budget_);
    // The last token is never restored: its logits have to be computed.
    while (restored < keys.size() && int64_t(restored + 1) * kPrefixBlockTokens < int64_t(prompt.size()) &&
           read_block(keys[restored], rows.bytes())) {
      cache.append(kPrefixBlockTokens, rows.bytes());
      ++restored;
    }
  } catch (const Error& error) {
    log(LogLevel::info, "prefix cache: {}", error.message());
  }
  mark_used(std::span(keys).first(restored));
  restored_tokens_ += int64_t(restored) * kPrefixBlockTokens;
  return int64_t(restored) * kPrefixBlockTokens;
}

void PrefixCache::keep(std::string_view model, std::span<const TokenId> prompt, int64_t first,
                       const KvCache& cache) const {
  std::vector<Key> keys = block_keys(model, prompt, cache);
  const uint64_t file_bytes = sizeof(Header) + block_bytes(cache);
  keys.resize(std::min<uint64_t>(keys.size(), max_bytes_ / file_bytes));
  auto block = static_cast<size_t>(first / kPrefixBlockTokens);
  if (keys.size() <= block || int64_t(keys.size()) * kPrefixBlockTokens < kMinPrefixTokens) return;
  try {
    create_private_folders(folder_);
    std::error_code ignored;  // a folder of another user stays as it is
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, ignored);
    make_room((keys.size() - block) * file_bytes);
    require_disk_room(folder_, (keys.size() - block) * file_bytes);
    BlockRows rows(block_bytes(cache), budget_);
    for (; block < keys.size(); ++block) {
      if (::access(path_of(keys[block]).c_str(), F_OK) == 0) continue;  // another process was faster
      cache.save(int64_t(block) * kPrefixBlockTokens, kPrefixBlockTokens, rows.bytes());
      write_block(keys[block], rows.bytes());
    }
  } catch (const Error& error) {
    log(LogLevel::warn, "prefix cache: the prompt was not stored: {}", error.message());
  }
  mark_used(keys);
}

std::vector<PrefixCache::Key> PrefixCache::block_keys(std::string_view model, std::span<const TokenId> prompt,
                                                      const KvCache& cache) const {
  std::vector<Key> keys;
  const std::string rows = cache.row_identity();
  if (rows.empty()) return keys;
  Sha256 hash;
  hash.update(fmt::format("{}\n{}\n{}:{}", kVersion, rows, model.size(), model));
  Key chained = hash.digest();
  for (; prompt.size() >= size_t(kPrefixBlockTokens); prompt = prompt.subspan(size_t(kPrefixBlockTokens))) {
    hash.update(std::as_bytes(std::span(chained)));
    hash.update(std::as_bytes(prompt.first(size_t(kPrefixBlockTokens))));
    chained = hash.digest();
    keys.push_back(chained);
  }
  return keys;
}

std::filesystem::path PrefixCache::path_of(const Key& key) const {
  return folder_ / fmt::format("{:02x}{}", fmt::join(key, ""), kSuffix);
}

// Verifies the bytes that it read, not the file, which another process may change at any time.
bool PrefixCache::read_block(const Key& key, std::span<std::byte> rows) const {
  const std::filesystem::path path = path_of(key);
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno != ELOOP) return false;
  struct stat info {};
  Header header{};
  const bool whole = fd && ::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) &&
                     static_cast<uint64_t>(info.st_size) == sizeof header + rows.size() &&
                     read_all(fd.get(), std::as_writable_bytes(std::span(&header, 1)), 0) &&
                     is_header_of(header, key, rows.size()) && read_all(fd.get(), rows, sizeof header) &&
                     checksum64(rows) == header.rows_checksum;
  if (!whole) {
    log(LogLevel::warn, "prefix cache: '{}' is damaged and was removed", path.native());
    ::unlink(path.c_str());
  }
  return whole;
}

void PrefixCache::write_block(const Key& key, std::span<const std::byte> rows) const {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.rows_bytes = rows.size();
  header.key = key;
  header.rows_checksum = checksum64(rows);
  header.header_checksum = header_checksum(header);
  AtomicFile file(path_of(key), FileAccess::owner_only);  // it holds the text, as keys and values
  file.reserve(sizeof header + rows.size());
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(rows);
  file.publish();
}

void PrefixCache::mark_used(std::span<const Key> keys) const {
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  for (const Key& key : keys) {
    const timespec times[2] = {{0, UTIME_OMIT}, at};
    ::utimensat(AT_FDCWD, path_of(key).c_str(), times, AT_SYMLINK_NOFOLLOW);
    at.tv_nsec -= 1000;
    if (at.tv_nsec < 0) {
      at.tv_nsec += 1'000'000'000;
      --at.tv_sec;
    }
  }
}

void PrefixCache::make_room(uint64_t needed) const {
  std::vector<Entry> entries = list_entries(folder_);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  uint64_t total = needed;
  for (const Entry& entry : entries) total += entry.bytes;
  std::error_code ignored;
  for (const Entry& entry : entries) {
    if (total <= max_bytes_) return;
    std::filesystem::remove(entry.path, ignored);
    total -= entry.bytes;
  }
}

}  // namespace frugal
