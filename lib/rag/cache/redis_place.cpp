#include "rag/cache/redis_place.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/error.h"

namespace frugal {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::usage, fmt::format("cache.url: {}", why))
      .hint("write redis://[[user]:password@]host[:port][/database] or unix:/path/of/the/socket");
}

std::string decode(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    unsigned byte = 0;
    const char* digits = text.data() + at + 1;
    if (at + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      refuse("a % is not followed by two hexadecimal digits");
    out += static_cast<char>(byte);
    at += 2;
  }
  return out;
}

int parse_number(std::string_view text, int max, const char* what) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > max)
    refuse(fmt::format("'{}' is no {}", text, what));
  return value;
}

// "host", "host:port", "[::1]:port".
void take_host(RedisPlace& place, std::string_view text) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) refuse("a [ is not closed");
    place.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    place.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (place.host.empty()) refuse("it names no host");
  if (rest.empty()) return;
  if (rest[0] != ':') refuse(fmt::format("'{}' follows the host", rest));
  place.port = parse_number(rest.substr(1), 65535, "port");
}

}  // namespace

std::string RedisPlace::text() const {
  if (host.empty()) return "unix:" + socket;
  const bool is_ipv6 = host.find(':') != host.npos;
  return fmt::format("redis://{}{}{}:{}/{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port, database);
}

RedisPlace parse_redis_place(std::string_view url) {
  RedisPlace place;
  constexpr std::string_view kTcp = "redis://", kUnix = "unix:";
  if (url.starts_with(kUnix)) {
    place.socket = url.substr(kUnix.size());
    if (!place.socket.starts_with('/')) refuse("the path of a socket begins with /");
    return place;
  }
  if (url.starts_with("rediss://")) refuse("TLS is not supported: let a tunnel carry the connection");
  if (!url.starts_with(kTcp)) refuse("it begins neither with redis:// nor with unix:");
  url.remove_prefix(kTcp.size());
  if (const size_t at = url.rfind('@'); at != url.npos) {
    const std::string_view credentials = url.substr(0, at);
    const size_t colon = std::min(credentials.find(':'), credentials.size());
    place.user = decode(credentials.substr(0, colon));
    if (colon < credentials.size()) place.password = decode(credentials.substr(colon + 1));
    url.remove_prefix(at + 1);
  }
  if (const size_t slash = url.find('/'); slash != url.npos) {
    if (slash + 1 < url.size()) place.database = parse_number(url.substr(slash + 1), 1 << 20, "number of a database");
    url = url.substr(0, slash);
  }
  take_host(place, url);
  return place;
}

}  // namespace frugal
