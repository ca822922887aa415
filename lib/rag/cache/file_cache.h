// A cache of small results on disk, shared by processes: one file per entry, named by the hash of everything that the
// result depends on. Losing the cache or any file of it costs time only; it never throws.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "rag/cache/byte_cache.h"
#include "telemetry/metrics.h"

namespace frugal {

/// Safe for any number of processes: entries appear by rename and are verified by checksum when read. They are spread
/// over 256 folders; each evicts its least recently used entries to stay within its share of max_bytes.
class FileCache : public ByteCache, public MetricSource {
 public:
  /// `version` identifies the format of the entries: an entry of another version is a miss.
  FileCache(std::filesystem::path folder, uint64_t max_bytes, std::string version);
  ~FileCache() override;
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  /// `hex`: at least two hexadecimal digits.
  std::optional<std::string> find(const std::string& hex) const override;
  void report(MetricSink& sink) const override;
  /// Logs a failure (read-only folder, full disk).
  void put(const std::string& hex, std::string_view content) const override;

 private:
  std::optional<std::string> read(const std::string& hex) const;
  std::filesystem::path path_of(const std::string& hex) const;
  void make_room(const std::filesystem::path& folder) const;

  std::filesystem::path folder_;
  uint64_t max_bytes_;
  std::string version_;
  mutable std::atomic<int64_t> lookups_{0}, hits_{0};
};

}  // namespace frugal
