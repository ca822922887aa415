// What rag-query makes of a server, and of what only looks like one.
#include "app/wiring/service_client.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "support/temp_folder.h"

namespace frugal {
namespace {

using std::chrono::milliseconds;

/// Accepts one connection on a Unix socket, reads some of it, sends `reply` and waits, or closes.
class OneReply {
 public:
  OneReply(const std::string& reply, bool stays_open) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    thread_ = std::thread([this, reply, stays_open] {
      const int client = ::accept(fd_, nullptr, nullptr);
      char head[65'536];
      const ssize_t got = ::recv(client, head, sizeof head, 0);
      received.assign(head, got > 0 ? size_t(got) : 0);
      ::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
      if (stays_open) ::recv(client, head, sizeof head, 0);
      if (stays_open) ::recv(client, head, sizeof head, 0);
      ::close(client);
    });
  }
  OneReply(const OneReply&) = delete;
  OneReply& operator=(const OneReply&) = delete;
  ~OneReply() {
    thread_.join();
    ::close(fd_);
  }
  std::string path() const { return (folder_.path() / "s").native(); }

  std::string received;

 private:
  testing::TempFolder folder_;
  const int fd_;
  std::thread thread_;
};

std::optional<ServiceAnswer> ask(const std::string& place, milliseconds timeout = milliseconds(5000)) {
  return ask_service(place, "/query", "identity", "{\"query\":\"who\"}", timeout);
}

}  // namespace

TEST_CASE("a whole reply is taken, with what its headers say") {
  OneReply server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nX-Frugal-Answered: extract\r\n"
      "X-Frugal-Hits: 3\r\n\r\nanswer",
      false);
  const auto answer = ask(server.path());
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "answer");
  CHECK(answer->answered == "extract");
  CHECK(answer->hits == 3);
  CHECK(server.received.find("X-Frugal-Identity: identity\r\n") != std::string::npos);
}

TEST_CASE("no server, a dead one, and what is no whole reply are nothing") {
  const testing::TempFolder folder;
  CHECK(!ask((folder.path() / "nothing").native()));
  CHECK(!ask(""));
  CHECK(!ask(std::string(300, 'a')));
  CHECK(!ask("http://127.0.0.1:1"));
  CHECK(!ask("http://nowhere"));
  for (const char* reply :
       {"", "HTTP/1.1 200 OK\r\n", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanswer",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nanswer", "HTTP/1.1 200 OK\r\n\r\nanswer"}) {
    CAPTURE(reply);
    const OneReply server(reply, false);
    CHECK(!ask(server.path()));
  }
}

TEST_CASE("a server that stalls is left after the time-out") {
  const OneReply server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nans", true);
  CHECK(!ask(server.path(), milliseconds(100)));
}

}  // namespace frugal
