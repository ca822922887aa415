// A cache of small entries, bytes under the hash of everything that they depend on. Losing it or any entry costs time
// only; it never throws. Files of this machine (file_cache.h), or a server of the Redis protocol (redis_cache.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

/// Thread-safe.
class ByteCache {
 public:
  virtual ~ByteCache() = default;
  /// The content stored under a hash; nullopt if there is none or it is damaged.
  virtual std::optional<std::string> find(const std::string& hex) const = 0;
  /// Stores an entry; not one above 1 MiB.
  virtual void put(const std::string& hex, std::string_view content) const = 0;
};

inline constexpr uint64_t kMaxEntryBytes = 1 << 20;

/// "VERSION CHECKSUM\n" and the content. The checksum is verified when the entry is read, so that a torn or foreign one
/// is a miss.
std::string wrap_entry(std::string_view version, std::string_view content);
/// The content; nullopt if the entry is damaged or has another version.
std::optional<std::string> unwrap_entry(std::string_view version, std::string_view entry);

}  // namespace frugal
