// A server of HTTP on 127.0.0.1 that answers as a test scripts it, faults included: it says nothing, resets, stalls,
// sends too much. Each connection is served by a thread of its own, one request after the other.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace frugal::testing {

struct ServedRequest {
  std::string method, path, head, body;
  int number = 0;  // of the server's requests, from 1
};

/// A connection whose request has been read.
class ServedConnection {
 public:
  ServedConnection(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}

  /// False if the peer has gone.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  bool answer(int status, std::string_view type, std::string_view body, std::string_view more_head = "") const {
    return send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + std::string(type) +
                "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more_head) + "\r\n" +
                std::string(body));
  }
  bool begin_stream(std::string_view type) const {
    return send("HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) + "\r\nTransfer-Encoding: chunked\r\n\r\n");
  }
  bool chunk(std::string_view bytes) const {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return send(size + std::string(bytes) + "\r\n");
  }
  bool end_stream() const { return send("0\r\n\r\n"); }
  /// Says nothing until the peer closes the connection or the server ends.
  void be_silent() const {
    while (!stopping_) {
      pollfd wait{fd_, POLLIN, 0};
      char byte = 0;
      if (::poll(&wait, 1, 20) > 0 && ::recv(fd_, &byte, 1, MSG_DONTWAIT) <= 0) return;
    }
  }
  /// Closes the connection with a reset, not an end.
  void reset() const {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  int fd_;
  const std::atomic<bool>& stopping_;
};

class FaultServer {
 public:
  /// Answers a request. Returns false to close the connection.
  using Answer = std::function<bool(const ServedRequest&, const ServedConnection&)>;

  explicit FaultServer(Answer answer)
      : answer_(std::move(answer)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 16) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("cannot listen on 127.0.0.1");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;
  ~FaultServer() {
    stopping_ = true;
    accepting_.join();
    for (std::thread& each : serving_) each.join();
    ::close(fd_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }
  ServedRequest last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  void accept_all() {
    while (!stopping_) {
      pollfd wait{fd_, POLLIN, 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) serving_.emplace_back([this, fd] { serve(fd); });
    }
  }

  bool receive(int fd, std::string& into) const {
    while (!stopping_) {
      pollfd wait{fd, POLLIN, 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      char bytes[16384];
      const ssize_t count = ::recv(fd, bytes, sizeof bytes, 0);
      if (count <= 0) return false;
      into.append(bytes, static_cast<size_t>(count));
      return true;
    }
    return false;
  }

  void serve(int fd) {
    std::string read;
    for (bool open = true; open;) {
      while (open && read.find("\r\n\r\n") == read.npos) open = receive(fd, read);
      if (!open) break;
      ServedRequest request;
      const size_t end = read.find("\r\n\r\n") + 4;
      request.head = read.substr(0, end);
      request.method = request.head.substr(0, request.head.find(' '));
      const size_t path = request.method.size() + 1;
      request.path = request.head.substr(path, request.head.find(' ', path) - path);
      const size_t length = request.head.find("Content-Length: ");
      const size_t bytes = length == read.npos ? 0 : std::strtoul(request.head.c_str() + length + 16, nullptr, 10);
      while (open && read.size() < end + bytes) open = receive(fd, read);
      if (!open) break;
      request.body = read.substr(end, bytes);
      read.erase(0, end + bytes);
      request.number = ++requests_;
      {
        const std::lock_guard lock(mutex_);
        last_ = request;
      }
      open = answer_(request, ServedConnection(fd, stopping_));
    }
    ::close(fd);
  }

  Answer answer_;
  int fd_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> requests_{0};
  mutable std::mutex mutex_;
  ServedRequest last_;
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

}  // namespace frugal::testing
