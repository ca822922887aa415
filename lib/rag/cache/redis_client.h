// Commands to a server of the Redis protocol that may be gone, slow or hostile, through the plugin frugal_redis.so.
// A call takes at most its time-out. After one that failed no other is tried for a minute, neither by this process nor
// by others on the machine: a file in the cache folder tells them. So a server that is gone costs one time-out a
// minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/cache/redis_place.h"

namespace frugal {

struct RedisOptions {
  RedisPlace place;
  int64_t timeout_ms = 250;      // of a call, with the connection that it may need
  std::filesystem::path folder;  // of the file that says that the server is away; empty: this process alone knows
  bool always_try = false;       // even if that file says so
};

/// A value of the protocol.
struct RedisValue {
  enum class Kind { nil, text, integer, error, array };
  Kind kind = Kind::nil;
  std::string text;  // of a text or an error
  int64_t integer = 0;
  std::vector<RedisValue> items;

  /// The number, also if it comes as text; 0 if it is none.
  int64_t number() const;
};

/// Thread-safe; calls wait for each other.
class RedisClient {
 public:
  using Command = std::vector<std::string>;

  /// Opens the plugin, not yet a connection. Throws Error(missing) and Error(mismatch) like PluginTable.
  explicit RedisClient(RedisOptions options);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// The reply to each command, sent at once; nullopt: the server is away. An error that concerns this command alone (a
  /// key of another type) is a reply, any other error that the server reports makes it away. `max_bytes` of replies.
  std::optional<std::vector<RedisValue>> pipeline(const std::vector<Command>& commands, uint64_t max_bytes);
  /// The reply to one command; nullopt also if it is an error.
  std::optional<RedisValue> call(Command command, uint64_t max_bytes);

  /// Why the server is not asked now; empty: it is, as far as is known.
  std::string away() const;
  /// The place, for messages.
  std::string place() const { return options_.place.text(); }

 private:
  struct Plugin;
  struct Connection;
  using Clock = std::chrono::steady_clock;

  bool is_away();
  void set_away(const std::string& why);
  void set_back();
  std::vector<RedisValue> attempt(const std::vector<Command>& commands, uint64_t max_bytes, Clock::time_point deadline);
  std::vector<RedisValue> exchange(const std::vector<Command>& commands, uint64_t max_bytes,
                                   Clock::time_point deadline);
  std::vector<Command> greeting() const;

  const RedisOptions options_;
  const std::filesystem::path stamp_;  // empty: none
  const std::unique_ptr<Plugin> plugin_;
  std::unique_ptr<Connection> connection_;
  mutable std::mutex mutex_;
  std::string away_;  // why
  std::optional<Clock::time_point> away_until_;
  bool has_read_stamp_ = false;
  bool was_closed_ = false;  // the last exchange failed because the server had closed the connection
};

}  // namespace frugal
