// One HTTP exchange as the handlers of the routes see it: a request that is complete, and a place for the reply. They
// know neither sockets nor Beast (app/serve does), so that tests and the MCP server over stdio can call them directly.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.h"

namespace frugal::api {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// ASCII letters in lower case: names of headers and hosts.
inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ascii_lower(c);
  return lower;
}

struct HttpRequest {
  std::string method;  // in capitals
  std::string path;    // of the target, without the query
  std::string query;   // of the target, without '?'
  Headers headers;     // names in lower case
  std::string body;
  bool is_local = false;  // it came over the Unix socket, which only the server's user can open

  /// The value of a header, by its name in lower case; empty: there is none.
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers = {};
};

/// Where a handler replies: once with send(), or with begin() and any number of write(). What is never replied to is a
/// bug, and the caller answers 500. Calls return at once; a client that reads slowly costs memory, not time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void send(HttpReply reply) = 0;
  /// Sends the head of a reply whose body follows in pieces.
  virtual void begin(HttpReply head) = 0;
  /// Sends a piece. False: the client is gone, or has left too much unread, and the work should end.
  virtual bool write(std::string_view piece) = 0;
  /// Ends what begin() began.
  virtual void end() = 0;
  /// True if the client is gone: nobody will see the reply.
  virtual bool is_cancelled() const = 0;
};

}  // namespace frugal::api
