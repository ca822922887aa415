#include "rag/vectors/milvus_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr std::string_view kPlain = "milvus://", kWithTls = "milvus+tls://";

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::usage, fmt::format("vectors.place: {}", why))
      .hint("write file, or milvus://host[:port][/database], or milvus+tls://host[:port][/database]");
}

int parse_port(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 65535)
    refuse(fmt::format("'{}' is no port", text));
  return value;
}

bool is_letter_or_digit(char c) {
  return is_digit(static_cast<unsigned char>(c)) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

// What Milvus allows, so that a name needs no quoting anywhere.
void check_name(std::string_view name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) { return is_letter_or_digit(c) || c == '_'; });
  if (!is_plain || name.size() > 200) refuse(fmt::format("'{}' is no name of a database", name));
}

// "host", "host:port", "[::1]:port".
void take_host(MilvusAddress& address, std::string_view text) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) refuse("a [ is not closed");
    address.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    address.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (address.host.empty()) refuse("it names no host");
  const bool is_plain = std::all_of(address.host.begin(), address.host.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_' || c == ':';
  });
  if (!is_plain) refuse("its host has other characters than letters, digits, '.', '-', '_' and ':'");
  if (rest.empty()) return;
  if (rest[0] != ':') refuse(fmt::format("'{}' follows the host", rest));
  address.port = parse_port(rest.substr(1));
}

}  // namespace

std::string MilvusAddress::target() const {
  const bool is_ipv6 = host.find(':') != host.npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

std::string MilvusAddress::text() const {
  return fmt::format("{}{}{}{}", tls ? kWithTls : kPlain, target(), database.empty() ? "" : "/", database);
}

MilvusAddress parse_milvus_address(std::string_view url) {
  MilvusAddress address;
  address.tls = url.starts_with(kWithTls);
  if (!address.tls && !url.starts_with(kPlain)) refuse("it is neither file nor begins with milvus:// or milvus+tls://");
  url.remove_prefix(address.tls ? kWithTls.size() : kPlain.size());
  if (url.find('@') != url.npos) refuse("it has a user or a password, which belong into vectors.token_file");
  if (const size_t slash = url.find('/'); slash != url.npos) {
    address.database = url.substr(slash + 1);
    check_name(address.database);
    url = url.substr(0, slash);
  }
  take_host(address, url);
  return address;
}

bool is_milvus_place(std::string_view place) {
  if (place.empty() || place == "file") return false;
  parse_milvus_address(place);
  return true;
}

}  // namespace frugal
