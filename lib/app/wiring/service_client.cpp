#include "app/wiring/service_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <system_error>

#include "base/file.h"

namespace frugal {
namespace {

constexpr size_t kMaxAnswerBytes = size_t(256) << 20;

FileDescriptor connect_to_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  // Only a server of this user's may answer for it.
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0 || peer.uid != ::geteuid()) return {};
  return fd;
}

// place: 127.0.0.1:8321
FileDescriptor connect_to_port(std::string_view place) {
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return {};
  const std::string host = place.substr(0, colon) == "localhost" ? "127.0.0.1" : std::string(place.substr(0, colon));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  uint16_t port = 0;
  const auto parsed = std::from_chars(place.data() + colon + 1, place.data() + place.size(), port);
  if (parsed.ec != std::errc() || ::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return {};
  address.sin_port = htons(port);
  FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

// An open connection; an invalid descriptor where no server listens.
FileDescriptor connect_to(const std::string& place) {
  constexpr std::string_view kHttp = "http://";
  if (!place.starts_with(kHttp)) return connect_to_socket(place);
  std::string_view address = std::string_view(place).substr(kHttp.size());
  if (address.ends_with('/')) address.remove_suffix(1);
  return connect_to_port(address);
}

bool send_all(const FileDescriptor& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Everything until the server closes the connection; nullopt: it did not within the time-out of the socket.
std::optional<std::string> receive_all(const FileDescriptor& fd) {
  std::string bytes;
  char part[65'536];
  while (bytes.size() < kMaxAnswerBytes) {
    const ssize_t got = ::recv(fd.get(), part, sizeof part, 0);
    if (got < 0) return std::nullopt;
    if (got == 0) return bytes;
    bytes.append(part, static_cast<size_t>(got));
  }
  return std::nullopt;
}

std::string_view header(std::string_view head, std::string_view name) {
  const size_t at = head.find(fmt::format("\r\n{}: ", name));
  if (at == std::string_view::npos) return {};
  head.remove_prefix(at + name.size() + 4);
  return head.substr(0, head.find("\r\n"));
}

// An answer with a Content-Length, as the server sends it for a request that is no stream.
std::optional<ServiceAnswer> parse_answer(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  const size_t end = bytes.find("\r\n\r\n");
  if (!bytes.starts_with(kVersion) || end == std::string_view::npos) return std::nullopt;
  const std::string_view head = bytes.substr(0, end + 2), body = bytes.substr(end + 4);
  ServiceAnswer answer;
  size_t length = 0;
  const std::string_view status = head.substr(kVersion.size(), 3), size = header(head, "Content-Length");
  std::from_chars(status.data(), status.data() + status.size(), answer.status);
  const auto parsed = std::from_chars(size.data(), size.data() + size.size(), length);
  if (size.empty() || parsed.ec != std::errc() || length != body.size()) return std::nullopt;
  answer.body = body;
  answer.answered = header(head, "X-Frugal-Answered");
  const std::string_view hits = header(head, "X-Frugal-Hits");
  std::from_chars(hits.data(), hits.data() + hits.size(), answer.hits);
  return answer;
}

}  // namespace

std::optional<ServiceAnswer> ask_service(const std::string& place, std::string_view path, std::string_view identity,
                                         std::string_view body, std::chrono::milliseconds timeout) {
  const FileDescriptor fd = connect_to(place);
  if (!fd) return std::nullopt;
  const timeval limit{timeout.count() / 1000, (timeout.count() % 1000) * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const std::string head = fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "X-Frugal-Identity: {}\r\nConnection: close\r\n\r\n",
      path, body.size(), identity);
  if (!send_all(fd, head) || !send_all(fd, body)) return std::nullopt;
  const std::optional<std::string> bytes = receive_all(fd);
  return bytes ? parse_answer(*bytes) : std::nullopt;
}

}  // namespace frugal
