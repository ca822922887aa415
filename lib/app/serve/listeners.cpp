#include "app/serve/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace frugal::serve {
namespace {

constexpr int kBacklog = 512;
constexpr int kFirstHandedOver = 3;  // SD_LISTEN_FDS_START

/// An address of either family, as the socket calls take it.
struct NumericAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::optional<NumericAddress> parse_address(const std::string& host, uint16_t port) {
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  NumericAddress address;
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, numeric.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.bytes = sizeof v4;
    return address;
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, numeric.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&address.storage, &v6, sizeof v6);
  address.bytes = sizeof v6;
  return address;
}

uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &bytes) != 0) return 0;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return ntohs(v6.sin6_port);
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);
}

FileDescriptor open_socket(int family) {
  FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw io_error("open", "a socket");
  return fd;
}

Listener listen_on(const Address& address) {
  const auto numeric = parse_address(address.host, static_cast<uint16_t>(address.port));
  if (!numeric)
    throw Error(Code::usage, fmt::format("--host: '{}' is not an address", address.host))
        .hint("give 127.0.0.1, ::1 or another address of this machine");
  FileDescriptor fd = open_socket(numeric->storage.ss_family);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), numeric->get(), numeric->bytes) != 0) {
    if (errno == EADDRINUSE)
      throw Error(Code::bad_input, fmt::format("port {} is in use", address.port))
          .hint("stop the program that uses it, or choose another with --port");
    throw io_error("listen on", fmt::format("{}:{}", address.host, address.port));
  }
  if (::listen(fd.get(), kBacklog) != 0) throw io_error("listen on", address.host);
  const bool is_v6 = address.host.find(':') != std::string::npos;
  std::string name =
      fmt::format("http://{}{}{}:{}", is_v6 ? "[" : "", address.host, is_v6 ? "]" : "", port_of(fd.get()));
  return {std::move(fd), false, std::move(name)};
}

Listener listen_on(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket.native();
  if (path.size() >= sizeof address.sun_path)
    throw Error(Code::bad_input,
                fmt::format("'{}': the path of a socket has at most {} bytes", path, sizeof address.sun_path - 1))
        .hint("choose a shorter one with --socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  FileDescriptor fd = open_socket(AF_UNIX);
  // The lock is ours: whoever left this file is gone.
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) throw Error(Code::bad_input, fmt::format("'{}' exists and is not a socket", path));
    ::unlink(path.c_str());
  }
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int why = errno;
  ::umask(before);
  errno = why;
  if (bound != 0 || ::listen(fd.get(), kBacklog) != 0) throw io_error("listen on", path);
  return {std::move(fd), true, "unix:" + path};
}

// The sockets of systemd, if it started this process for them.
std::vector<Listener> handed_over() {
  std::vector<Listener> all;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || std::atol(pid) != ::getpid()) return all;
  for (int fd = kFirstHandedOver; fd < kFirstHandedOver + std::atoi(count); ++fd) {
    int family = 0;
    socklen_t bytes = sizeof family;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) != 0) continue;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    const bool is_local = family == AF_UNIX;
    all.push_back({FileDescriptor(fd), is_local, is_local ? "a socket of systemd" : "a port of systemd"});
  }
  return all;
}

}  // namespace

bool is_loopback(const std::string& host) {
  const auto address = parse_address(host, 0);
  if (!address) return false;
  if (address->storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address->storage, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &address->storage, sizeof v4);
  return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
}

Listeners::Listeners(const std::optional<Address>& address, const std::filesystem::path& socket)
    : all_(handed_over()), maker_(::getpid()) {
  if (!all_.empty()) return;
  if (address) all_.push_back(listen_on(*address));
  if (socket.empty()) return;
  if (socket.has_parent_path()) create_private_folders(socket.parent_path());
  try {
    lock_.emplace(socket.native() + ".lock");
  } catch (Error& error) {
    if (error.code() != Code::bad_input) throw;
    throw Error(Code::bad_input, fmt::format("another server listens on '{}'", socket.native()))
        .hint("stop it, or choose another socket with --socket");
  }
  all_.push_back(listen_on(socket));
  socket_ = socket;
}

Listeners::~Listeners() {
  if (socket_.empty() || maker_ != ::getpid()) return;
  ::unlink(socket_.c_str());
}

}  // namespace frugal::serve
