// Sockets whose every wait ends at a deadline. Only this folder includes hiredis, of which it uses the writer and the
// reader of the protocol: hiredis' own connections bound each system call, not the whole, so that a server that sends
// a byte now and then would hold its caller for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "plugins/failure.h"

namespace frugal_redis {

using Clock = std::chrono::steady_clock;

using frugal_plugins::Failure;

/// A connected stream socket, closed with its owner. All functions throw Failure.
class Socket {
 public:
  static Socket to_port(const std::string& host, int port, Clock::time_point deadline);
  static Socket to_path(const std::string& path, Clock::time_point deadline);
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&&) = delete;
  ~Socket();

  void send_all(const std::string& bytes, Clock::time_point deadline);
  /// At least one byte and at most `bytes`.
  size_t receive(char* into, size_t bytes, Clock::time_point deadline);

 private:
  explicit Socket(int fd) : fd_(fd) {}
  void connect(const void* address, unsigned bytes, Clock::time_point deadline);
  int fd_;
};

}  // namespace frugal_redis
