#include "connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "rag/cache/redis_abi.h"

namespace frugal_redis {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// A look-up in the background. Where it cannot be cancelled, it is left to end by itself: glibc writes into it.
struct Lookup {
  std::string host, service;
  addrinfo hints{};
  gaicb request{};
};

[[noreturn]] void throw_timeout(const char* doing) {
  throw Failure(FRUGAL_REDIS_TIMEOUT, std::string("no answer in time while ") + doing);
}

[[noreturn]] void throw_closed(const char* doing, int error) {
  throw Failure(FRUGAL_REDIS_CLOSED, std::string(doing) + ": " + std::strerror(error));
}

int remaining_ms(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

void wait_for(int fd, short events, Clock::time_point deadline, const char* doing) {
  for (;;) {
    const int left = remaining_ms(deadline);
    if (left == 0) throw_timeout(doing);
    pollfd waiting{fd, events, 0};
    const int ready = ::poll(&waiting, 1, left);
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw_closed(doing, errno);
  }
}

addrinfo stream_hints(int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  return hints;
}

// The resolver may wait for many seconds, so it runs beside this thread.
Addresses look_up(const std::string& host, int port, Clock::time_point deadline) {
  const std::string service = std::to_string(port);
  const addrinfo numeric = stream_hints(AI_NUMERICHOST);
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), service.c_str(), &numeric, &found) == 0) return Addresses(found);
  auto lookup = std::make_unique<Lookup>();
  lookup->host = host;
  lookup->service = service;
  lookup->hints = stream_hints(AI_ADDRCONFIG);
  lookup->request = {};
  lookup->request.ar_name = lookup->host.c_str();
  lookup->request.ar_service = lookup->service.c_str();
  lookup->request.ar_request = &lookup->hints;
  gaicb* list[] = {&lookup->request};
  if (::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr) != 0)
    throw Failure(FRUGAL_REDIS_CLOSED, "the host cannot be looked up");
  int status = EAI_INPROGRESS;
  while ((status = ::gai_error(list[0])) == EAI_INPROGRESS) {
    const int left = remaining_ms(deadline);
    const timespec wait{left / 1000, static_cast<long>(left % 1000) * 1'000'000};
    if (left > 0) ::gai_suspend(list, 1, &wait);
    if (left == 0) {
      if (::gai_cancel(list[0]) != EAI_CANCELED && ::gai_error(list[0]) == EAI_INPROGRESS)
        static_cast<void>(lookup.release());
      throw_timeout("looking up the host");
    }
  }
  if (status != 0)
    throw Failure(FRUGAL_REDIS_CLOSED, "the host '" + host + "' is not found: " + ::gai_strerror(status));
  return Addresses(lookup->request.ar_result);
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

void Socket::connect(const void* address, unsigned bytes, Clock::time_point deadline) {
  if (fd_ < 0) throw_closed("cannot open a socket", errno);
  if (::connect(fd_, static_cast<const sockaddr*>(address), bytes) == 0) return;
  if (errno != EINPROGRESS && errno != EINTR) throw_closed("cannot connect", errno);
  wait_for(fd_, POLLOUT, deadline, "connecting");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) throw_closed("cannot connect", error);
}

// Every address is tried, until the time is over.
Socket Socket::to_port(const std::string& host, int port, Clock::time_point deadline) {
  const Addresses addresses = look_up(host, port, deadline);
  std::string why = "the host has no address";
  for (const addrinfo* each = addresses.get(); each; each = each->ai_next) {
    Socket socket(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    try {
      socket.connect(each->ai_addr, each->ai_addrlen, deadline);
    } catch (const Failure& failure) {
      if (failure.status == FRUGAL_REDIS_TIMEOUT) throw;
      why = failure.what();
      continue;
    }
    const int on = 1;
    ::setsockopt(socket.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
  throw Failure(FRUGAL_REDIS_CLOSED, why);
}

Socket Socket::to_path(const std::string& path, Clock::time_point deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Failure(FRUGAL_REDIS_CLOSED, "the path of the socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  socket.connect(&address, sizeof address, deadline);
  return socket;
}

void Socket::send_all(const std::string& bytes, Clock::time_point deadline) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count >= 0)
      sent += static_cast<size_t>(count);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      wait_for(fd_, POLLOUT, deadline, "sending");
    else if (errno != EINTR)
      throw_closed("cannot send", errno);
  }
}

size_t Socket::receive(char* into, size_t bytes, Clock::time_point deadline) {
  for (;;) {
    wait_for(fd_, POLLIN, deadline, "waiting for a reply");
    const ssize_t count = ::recv(fd_, into, bytes, 0);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0) throw Failure(FRUGAL_REDIS_CLOSED, "the server closed the connection");
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) throw_closed("cannot receive", errno);
  }
}

}  // namespace frugal_redis
