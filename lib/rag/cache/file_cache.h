// Small results of earlier processes, one file each, under names that are hashes of what they depend on.
// A cache and nothing more: losing it, or any file of it, costs time only; it never throws.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "telemetry/metrics.h"

namespace frugal {

/// Safe for any number of processes: files appear by rename, are checked against a checksum when read, and are spread
/// over 256 folders, each of which keeps its share of the size by dropping what was used longest ago.
class FileCache : public MetricSource {
 public:
  /// `version` names the form of the contents: a file of another is a miss.
  FileCache(std::filesystem::path folder, uint64_t max_bytes, std::string version);
  ~FileCache() override;
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  /// The content as it was stored under `hex` (two hexadecimal digits or more); nullopt if there is none or it is
  /// damaged.
  std::optional<std::string> find(const std::string& hex) const;
  void report(MetricSink& sink) const override;
  /// A failure (read-only folder, full disk) is logged and otherwise ignored; what is over 1 MiB is not kept.
  void put(const std::string& hex, std::string_view content) const;

 private:
  std::optional<std::string> read(const std::string& hex) const;
  std::filesystem::path path_of(const std::string& hex) const;
  std::string wrap(std::string_view content) const;
  std::optional<std::string> unwrap(std::string_view file) const;
  void make_room(const std::filesystem::path& folder) const;

  std::filesystem::path folder_;
  uint64_t max_bytes_;
  std::string version_;
  mutable std::atomic<int64_t> lookups_{0}, hits_{0};
};

}  // namespace frugal
