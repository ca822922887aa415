// A proxy in front of a Redis server that misbehaves in the ways in which remotes do.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "rag/cache/redis_place.h"

namespace frugal::testing {

enum class Fault {
  none,         // passes everything on
  blackhole,    // accepts, and never answers
  reset,        // resets the connection at the first bytes
  stall,        // half of an answer, then nothing
  drip,         // a byte of an answer every 20 ms
  huge,         // 10 MB
  endless,      // an answer of a billion elements
  nested,       // an array in an array in an array …
  garbage,      // not the protocol
  wrong_type,   // a number where an array is expected
  wrong_shape,  // an array of arrays where texts are expected
  error,        // the server says that it is loading
  dies,         // half of an answer, then the end
  repeats       // the answer twice
};
inline constexpr std::array kFaults = {
    Fault::blackhole, Fault::reset,      Fault::stall,       Fault::drip,  Fault::huge, Fault::endless, Fault::nested,
    Fault::garbage,   Fault::wrong_type, Fault::wrong_shape, Fault::error, Fault::dies, Fault::repeats};
inline constexpr std::array<const char*, 14> kFaultNames = {
    "none",   "blackhole", "reset",      "stall",       "drip",  "huge", "endless",
    "nested", "garbage",   "wrong type", "wrong shape", "error", "dies", "repeats"};

/// One connection at a time.
class FaultProxy {
 public:
  explicit FaultProxy(std::string upstream) : upstream_(std::move(upstream)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FaultProxy() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
  }
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  RedisPlace place() const {
    RedisPlace place;
    place.host = "127.0.0.1";
    place.port = port_;
    return place;
  }
  /// Of the answers from now on.
  void set(Fault fault) { fault_ = fault; }
  int connections() const { return connections_; }

 private:
  bool wait_for(int fd, int ms) const {
    pollfd waiting{fd, POLLIN, 0};
    return ::poll(&waiting, 1, ms) > 0;
  }
  static bool send(int fd, const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }
  void serve() {
    while (!stopping_) {
      if (!wait_for(listener_, 10)) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      ++connections_;
      const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, upstream_.c_str(), sizeof address.sun_path - 1);
      if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) relay(client, server);
      ::close(server);
      ::close(client);
    }
  }
  // Passes requests on, and answers as the fault has it, until one side ends.
  void relay(int client, int server) {
    std::string block(64 << 10, '\0');
    while (!stopping_) {
      pollfd waiting[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(waiting, 2, 10) <= 0) continue;
      if (waiting[0].revents) {
        const ssize_t count = ::recv(client, block.data(), block.size(), 0);
        if (count <= 0) return;
        if (fault_ == Fault::reset) return reset(client);
        if (!send(server, block.substr(0, static_cast<size_t>(count)))) return;
      }
      if (waiting[1].revents) {
        const ssize_t count = ::recv(server, block.data(), block.size(), 0);
        if (count <= 0 || !answer(client, block.substr(0, static_cast<size_t>(count)))) return;
      }
    }
  }
  static void reset(int client) {
    const linger hard{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  // False: the connection ends.
  bool answer(int client, const std::string& bytes) {
    switch (fault_) {
      case Fault::none:
      case Fault::reset:
        return send(client, bytes);
      case Fault::blackhole:
        return true;
      case Fault::stall:
        return send(client, bytes.substr(0, bytes.size() / 2));
      case Fault::drip:
        for (const char byte : bytes) {
          if (stopping_ || !send(client, std::string(1, byte))) return false;
          ::usleep(20'000);
        }
        return true;
      case Fault::huge:
        return send(client, "$10000000\r\n" + std::string(10'000'000, 'x') + "\r\n");
      case Fault::endless:
        return send(client, "*1000000000\r\n");
      case Fault::nested: {
        std::string deep;
        for (int i = 0; i < 10'000; ++i) deep += "*2\r\n";
        return send(client, deep);
      }
      case Fault::garbage:
        return send(client, "HTTP/1.1 400 Bad Request\r\n\r\n");
      case Fault::wrong_type:
        return send(client, ":7\r\n");
      case Fault::wrong_shape:
        return send(client, "*2\r\n*1\r\n:1\r\n*6\r\n$-1\r\n:1\r\n$1\r\nx\r\n*0\r\n:-9\r\n$0\r\n\r\n");
      case Fault::error:
        return send(client, "-LOADING Redis is loading the dataset in memory\r\n");
      case Fault::dies:
        send(client, bytes.substr(0, bytes.size() / 2));
        return false;
      case Fault::repeats:
        return send(client, bytes + bytes);
    }
    return false;
  }

  const std::string upstream_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<Fault> fault_{Fault::none};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace frugal::testing
