#include "rag/cache/file_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"

namespace frugal {
namespace {

constexpr int kFolders = 256;

void write_by_rename(const std::filesystem::path& target, std::string_view content) {
  std::string temporary = target.native() + ".tmp.XXXXXX";
  const FileDescriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) throw io_error("create", target.native());
  const bool written = ::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (written && ::rename(temporary.c_str(), target.c_str()) == 0) return;
  const Error error = io_error("write", target.native());
  ::unlink(temporary.c_str());
  throw error;
}

}  // namespace

FileCache::FileCache(std::filesystem::path folder, uint64_t max_bytes, std::string version)
    : folder_(std::move(folder)), max_bytes_(max_bytes), version_(std::move(version)) {
  metric_registry().add(*this);
}

FileCache::~FileCache() {
  metric_registry().remove(*this);
}

void FileCache::report(MetricSink& sink) const {
  const MetricLabels labels = {{"cache", folder_.filename().native()}};
  const auto hits = static_cast<double>(hits_), lookups = static_cast<double>(lookups_);
  sink.counter("frugal_cache_lookups_total", "Lookups in a cache of results", lookups, labels);
  sink.ratio("frugal_cache_hit_ratio", "Share of lookups found in a cache of results", hits, lookups, labels);
}

std::filesystem::path FileCache::path_of(const std::string& hex) const {
  return folder_ / hex.substr(0, 2) / hex;
}

std::optional<std::string> FileCache::find(const std::string& hex) const {
  std::optional<std::string> content = read(hex);
  ++lookups_;
  hits_ += content.has_value();
  return content;
}

std::optional<std::string> FileCache::read(const std::string& hex) const {
  const std::filesystem::path path = path_of(hex);
  if (::access(path.c_str(), R_OK) != 0) return std::nullopt;
  try {
    auto content = unwrap_entry(version_, read_file(path, kMaxEntryBytes));
    if (content) ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // marks it as recently used
    return content;
  } catch (const Error& error) {
    log(LogLevel::info, "cache: {}", error.message());
    return std::nullopt;
  }
}

void FileCache::put(const std::string& hex, std::string_view content) const {
  try {
    const std::string file = wrap_entry(version_, content);
    if (file.size() > std::min<uint64_t>(kMaxEntryBytes, max_bytes_ / kFolders)) return;
    const std::filesystem::path path = path_of(hex);
    create_private_folders(path.parent_path());
    write_by_rename(path, file);
    make_room(path.parent_path());
  } catch (const Error& error) {
    log(LogLevel::warn, "cache: entry not stored: {}", error.message());
  }
}

void FileCache::make_room(const std::filesystem::path& folder) const {
  struct Entry {
    std::filesystem::path path;
    timespec used;
    uint64_t bytes;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code ignored;
  for (const std::filesystem::path& file : folder_entries(folder)) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    entries.push_back({file, info.st_mtim, static_cast<uint64_t>(info.st_size)});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Entry& entry : entries) {
    if (total <= max_bytes_ / kFolders) return;
    std::filesystem::remove(entry.path, ignored);
    total -= entry.bytes;
  }
}

}  // namespace frugal
