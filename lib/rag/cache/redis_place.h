// Where a server of the Redis protocol is, as cache.url names it.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

struct RedisPlace {
  std::string host;  // empty: `socket`
  int port = 6379;
  std::string socket;  // path of a Unix socket
  std::string user, password;
  int database = 0;

  /// For messages: without user and password.
  std::string text() const;
};

/// Parses redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], where bytes of user and password may be written as %XX, or
/// unix:PATH. Throws Error(usage), whose message does not repeat the URL: it may hold a password.
RedisPlace parse_redis_place(std::string_view url);

}  // namespace frugal
