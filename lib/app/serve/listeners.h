// The sockets that a server accepts connections on: a TCP port, a Unix socket, or what systemd hands over
// (sd_listen_fds(3)). They are opened before any worker is forked, so that all workers share them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace frugal::serve {

struct Address {
  std::string host = "127.0.0.1";  // an address, or localhost
  int64_t port = 8321;             // 0: a free one
};

struct Listener {
  FileDescriptor fd;      // non-blocking
  bool is_local = false;  // a Unix socket
  std::string name;       // for messages: "http://127.0.0.1:8321", "unix:/run/…"
};

/// The sockets, and what keeps the Unix socket ours. Removes the socket's file when it is destroyed by the process that
/// made it.
class Listeners {
 public:
  /// `address`: nullopt for no port. `socket`: empty for no Unix socket; its file gets mode 0600, and one that a dead
  /// process left is replaced. Where systemd hands sockets over, these alone are used. Throws Error(bad_input) if the
  /// port or the socket is in use by a living process, Error(usage) for a host that is no address, Error(io).
  Listeners(const std::optional<Address>& address, const std::filesystem::path& socket);
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;
  ~Listeners();

  const std::vector<Listener>& all() const { return all_; }

 private:
  std::vector<Listener> all_;
  std::filesystem::path socket_;
  std::optional<FileLock> lock_;
  int maker_ = 0;  // the process
};

/// True if only processes of this machine can reach the address.
bool is_loopback(const std::string& host);

}  // namespace frugal::serve
