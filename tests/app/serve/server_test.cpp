// The server as its clients see it: bytes on a socket in, bytes out. The engine behind it is a fake.
#include "app/serve/server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "app/api/fake_engine.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using serve::Address;
using serve::Listeners;
using serve::ServerOptions;
using testing::error_of;
using testing::FakeEngine;

/// A client that sends what it is told to.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(uint16_t(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    limit();
  }
  explicit Client(const std::string& socket) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    limit();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(fd_); }

  void send(const std::string& bytes) { ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  /// Until the server closes the connection.
  std::string read_all() {
    std::string text = std::move(rest_);
    char part[4096];
    for (ssize_t got; (got = ::recv(fd_, part, sizeof part, 0)) > 0;) text.append(part, size_t(got));
    return text;
  }
  /// One reply with a Content-Length.
  std::string read_reply() {
    while (true) {
      const size_t end = rest_.find("\r\n\r\n");
      const size_t at = rest_.find("Content-Length: ");
      if (end != std::string::npos && at < end) {
        const size_t length = end + 4 + std::stoul(rest_.substr(at + 16));
        if (rest_.size() >= length) {
          std::string reply = rest_.substr(0, length);
          rest_.erase(0, length);
          return reply;
        }
      }
      char part[4096];
      const ssize_t got = ::recv(fd_, part, sizeof part, 0);
      if (got <= 0) return std::move(rest_);
      rest_.append(part, size_t(got));
    }
  }

 private:
  void limit() const {
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  const int fd_;
  std::string rest_;
};

/// A server on a free port and on a Unix socket. SIGTERM ends it, as it ends the tool.
class Running {
 public:
  explicit Running(ServerOptions options = {}) : options_(std::move(options)), context_{engine} {
    context_.identity = "same";
    listeners_ = std::make_unique<Listeners>(Address{"127.0.0.1", 0}, socket());
    const std::string& name = listeners_->all()[0].name;
    port_ = std::stoi(name.substr(name.rfind(':') + 1));
    std::promise<void> started;
    thread_ = std::thread(
        [this, &started] { serve::run_server(context_, listeners_->all(), options_, [&] { started.set_value(); }); });
    started.get_future().wait();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    ask_to_stop();
    thread_.join();
  }
  static void ask_to_stop() { ::kill(::getpid(), SIGTERM); }
  int port() const { return port_; }
  std::string socket() const { return (folder_.path() / "s.socket").native(); }

  std::string exchange(const std::string& bytes) const {
    Client client(port_);
    client.send(bytes);
    return client.read_all();
  }

  FakeEngine engine;

 private:
  testing::TempFolder folder_;
  const ServerOptions options_;
  api::Context context_;
  std::unique_ptr<Listeners> listeners_;
  int port_ = 0;
  std::thread thread_;
};

std::string post(const std::string& path, const std::string& body, const std::string& headers = "",
                 const std::string& connection = "close") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: " + connection + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string get(const std::string& path, const std::string& headers = "Host: localhost\r\n") {
  return "GET " + path + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n";
}

int status_of(const std::string& reply) {
  return reply.starts_with("HTTP/1.1 ") ? std::stoi(reply.substr(9, 3)) : 0;
}

std::string body_of(const std::string& reply) {
  const size_t end = reply.find("\r\n\r\n");
  return end == std::string::npos ? "" : reply.substr(end + 4);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void wait_until(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE(holds());
}

}  // namespace

TEST_CASE("a question is answered over the port and over the socket") {
  const Running server;
  const std::string reply = server.exchange(post("/query", R"({"query":"who signs"})"));
  CHECK(status_of(reply) == 200);
  CHECK(contains(reply, "X-Frugal-Answered: extract"));
  CHECK(nlohmann::json::parse(body_of(reply))["answer"]["text"] == "WHO SIGNS [1]");
  Client local(server.socket());
  local.send(post("/query", R"({"query":"who signs","format":"text"})"));
  CHECK(contains(local.read_all(), "WHO SIGNS"));
}

TEST_CASE("requests of one connection are answered in order, also if they were sent at once") {
  const Running server;
  Client client(server.port());
  std::string requests;
  for (const char* word : {"one", "two", "three"})
    requests += post("/query", std::string(R"({"query":")") + word + "\"}", "", "keep-alive");
  client.send(requests);
  for (const char* word : {"ONE", "TWO", "THREE"}) CHECK(contains(client.read_reply(), word));
}

TEST_CASE("an unknown path is 404, another method 405, and HEAD has no body") {
  const Running server;
  CHECK(status_of(server.exchange(get("/nowhere"))) == 404);
  const std::string other = server.exchange(get("/query"));
  CHECK(status_of(other) == 405);
  CHECK(contains(other, "Allow: POST"));
  const std::string head = server.exchange("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(status_of(head) == 200);
  CHECK(body_of(head).empty());
}

TEST_CASE("malformed requests get a 4xx and the end of the connection") {
  const Running server;
  const std::string smuggled =
      "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string two_lengths =
      "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde";
  const std::string bad_chunk =
      "POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n";
  for (const std::string& bytes :
       {smuggled, two_lengths, bad_chunk, std::string("nonsense\r\n\r\n"), std::string("GET /status HTTP/9.9\r\n\r\n"),
        std::string("GET  /status HTTP/1.1\r\nHost: localhost\r\n\r\n")}) {
    const std::string reply = server.exchange(bytes);
    CAPTURE(bytes);
    CHECK(status_of(reply) / 100 == 4);
    CHECK(!contains(reply, "schema_version\":1,\"version"));  // no second answer
  }
  CHECK(status_of(server.exchange(get("/health"))) == 200);
}

TEST_CASE("no form of a doubtful length smuggles a second request, and the server goes on") {
  const Running server;
  const std::string head = "POST /query HTTP/1.1\r\nHost: localhost\r\n";
  const std::string hidden = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::vector<std::string> attacks{
      head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
      head + "Content-Length: 0\r\nContent-Length: 4\r\n\r\n" + hidden,
      head + "Content-Length: +4\r\n\r\nabcd" + hidden,
      head + "Content-Length: 4, 5\r\n\r\nabcd" + hidden,
      head + "Content-Length: 99999999999999999999\r\n\r\n" + hidden,
      head + "Content-Length: -1\r\n\r\n" + hidden,
      head + "Transfer-Encoding: identity, chunked, identity\r\n\r\n" + hidden,
      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
      head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + hidden,
      head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + hidden,
      head + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcdefgh\r\n0\r\n\r\n" + hidden,
      head + "Content-Length : 4\r\n\r\nabcd" + hidden,
      "POST /query HTTP/1.1\r\nHost: localhost\r\n X: folded\r\nContent-Length: 4\r\n\r\nabcd" + hidden,
      "GET /status HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 4\r\n\r\n" + hidden};
  for (const std::string& bytes : attacks) {
    CAPTURE(bytes);
    const std::string reply = server.exchange(bytes);
    CHECK(status_of(reply) / 100 == 4);
    CHECK(reply.find("HTTP/1.1 ", 1) == std::string::npos);  // one reply alone
  }
  CHECK(status_of(server.exchange(get("/health"))) == 200);
}

TEST_CASE("a client that is slow with its head or its body is left, and the others are not kept waiting") {
  ServerOptions options;
  options.patience.head_s = options.patience.body_s = 1;
  const Running server(options);
  Client slow_head(server.port()), slow_body(server.port());
  slow_head.send("GET /health HTTP/1.1\r\nHost: loc");
  slow_body.send("POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  CHECK(status_of(server.exchange(get("/health"))) == 200);
  CHECK(slow_head.read_all().empty());
  CHECK(slow_body.read_all().empty());
  CHECK(status_of(server.exchange(get("/health"))) == 200);
}

TEST_CASE("an error in the midst of pipelined requests ends the connection after the replies before it") {
  const Running server;
  Client client(server.port());
  client.send(post("/query", R"({"query":"one"})", "", "keep-alive") + post("/query", "[]", "", "keep-alive") +
              "nonsense\r\n\r\n" + post("/query", R"({"query":"two"})"));
  CHECK(contains(client.read_reply(), "ONE"));
  CHECK(status_of(client.read_reply()) == 400);
  CHECK(status_of(client.read_reply()) == 400);
  CHECK(client.read_all().empty());
}

TEST_CASE("hostile bodies get the status of their fault in every protocol") {
  const Running server;
  const std::string deep = "{\"query\":\"a\",\"x\":" + std::string(100, '[') + std::string(100, ']') + "}";
  const std::vector<std::tuple<std::string, std::string, int>> faults{
      {"/query", deep, 400},
      {"/v1/embeddings", deep, 400},
      {"/embed", deep, 422},
      {"/mcp", deep, 400},
      {"/embed", "{\"inputs\":\"\xc3\x28\"}", 422},
      {"/summarize", "{\"text\":\"\xff\"}", 400},
      {"/caption", R"({"image":"/etc/passwd.png"})", 400},
      {"/v1/embeddings", R"({"model":"no-such-model","input":"a"})", 404},
      {"/api/chat", R"({"model":"no-such-model","messages":[]})", 404}};
  for (const auto& fault : faults) {
    const std::string& path = std::get<0>(fault);
    CAPTURE(path);
    CHECK(status_of(server.exchange(post(path, std::get<1>(fault)))) == std::get<2>(fault));
  }
  CHECK(status_of(server.exchange(post("/embed", R"({"inputs":"a"})", "Content-Encoding: gzip\r\n"))) == 415);
  CHECK(status_of(server.exchange(post("/query", R"({"query":"who"})"))) == 200);
}

TEST_CASE("a body that is announced too large is refused before it is sent") {
  const Running server;
  const std::string huge = "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2147483648\r\n\r\n";
  CHECK(status_of(server.exchange(huge)) == 413);
  std::string chunks = "POST /query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 40; ++i) chunks += "10000\r\n" + std::string(0x10000, 'a') + "\r\n";
  CHECK(status_of(server.exchange(chunks + "0\r\n\r\n")) == 413);
}

TEST_CASE("a head that is too large is refused, and so is a compressed body") {
  const Running server;
  CHECK(status_of(server.exchange(get("/health", "Host: localhost\r\nX: " + std::string(20000, 'a') + "\r\n"))) == 431);
  CHECK(status_of(server.exchange(post("/query", "abc", "Content-Encoding: gzip\r\n"))) == 415);
}

TEST_CASE("a client that expects 100 Continue gets it before its body") {
  const Running server;
  Client client(server.port());
  const std::string body = R"({"query":"who"})";
  client.send(
      "POST /query HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  const std::string reply = client.read_all();
  CHECK(reply.starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  CHECK(contains(reply, "WHO [1]"));
}

TEST_CASE("bodies that are no question are 400, and a bug shows nothing of the inside") {
  const Running server;
  const std::string deep(100, '[');
  for (const std::string& body : {std::string("{"), std::string("[]"), std::string(R"({"query":7.5e)"),
                                  std::string(R"({"query":"a","format":"pdf"})"), std::string(R"({"query":""})"),
                                  std::string("{\"query\":\"\xff\"}"), "{\"query\":\"a\",\"x\":" + deep,
                                  "{\"query\":\"a\",\"x\":" + deep + std::string(100, ']') + "}"}) {
    CAPTURE(body);
    CHECK(status_of(server.exchange(post("/query", body))) == 400);
  }
  const std::string bug = server.exchange(post("/query", R"({"query":"bug"})"));
  CHECK(status_of(bug) == 500);
  CHECK(!contains(bug, "secret"));
  const std::string missing = server.exchange(post("/query", R"({"query":"fail"})"));
  CHECK(status_of(missing) == 424);
  CHECK(contains(missing, "run rag-index add"));
}

TEST_CASE("another Host and another Origin are refused over the port, and no path leads around it") {
  ServerOptions options;
  options.gate.origins = {"https://notes.example"};
  const Running server(options);
  CHECK(status_of(server.exchange(get("/health", "Host: evil.example\r\n"))) == 403);
  CHECK(status_of(server.exchange(get("/health", ""))) == 403);
  CHECK(status_of(server.exchange(get("/health", "Host: localhost:8321\r\nOrigin: https://evil.example\r\n"))) == 403);
  CHECK(status_of(server.exchange(get("/health", "Host: localhost\r\nOrigin: http://localhost:8321\r\n"))) == 200);
  const std::string listed = server.exchange(get("/health", "Host: [::1]:1\r\nOrigin: https://notes.example\r\n"));
  CHECK(contains(listed, "Access-Control-Allow-Origin: https://notes.example"));
  Client local(server.socket());
  local.send(get("/health", "Host: evil.example\r\n"));
  CHECK(status_of(local.read_all()) == 200);
}

TEST_CASE("with a key, only probes of health and the socket are open without it") {
  ServerOptions options;
  options.gate.key = "s3cret";
  const Running server(options);
  CHECK(status_of(server.exchange(get("/health"))) == 200);
  CHECK(status_of(server.exchange(get("/status"))) == 401);
  CHECK(status_of(server.exchange(get("/status", "Host: localhost\r\nAuthorization: Bearer s3cre\r\n"))) == 401);
  CHECK(status_of(server.exchange(get("/status", "Host: localhost\r\nAuthorization: Bearer s3cret\r\n"))) == 200);
  CHECK(status_of(server.exchange(get("/status", "Host: localhost\r\nX-Api-Key: s3cret\r\n"))) == 200);
  Client local(server.socket());
  local.send(get("/status"));
  CHECK(status_of(local.read_all()) == 200);
}

TEST_CASE("what does not fit the queue is 429 at once, and probes are answered meanwhile") {
  ServerOptions options;
  options.handlers = 1;
  options.max_queued = 1;
  Running server(options);
  server.engine.hold();
  Client first(server.port()), second(server.port());
  first.send(post("/query", R"({"query":"one"})"));
  wait_until([&] { return server.engine.waiting == 1; });
  second.send(post("/query", R"({"query":"two"})"));
  std::string third;
  wait_until([&] {
    third = server.exchange(post("/query", R"({"query":"three"})"));
    return status_of(third) == 429;
  });
  CHECK(contains(third, "Retry-After: 1"));
  CHECK(status_of(server.exchange(get("/health"))) == 200);
  CHECK(contains(server.exchange(get("/metrics")), "frugal_server_rejected_requests_total"));
  server.engine.release();
  CHECK(contains(first.read_all(), "ONE"));
  CHECK(contains(second.read_all(), "TWO"));
}

TEST_CASE("a streamed answer comes as events, and a client that leaves cancels it") {
  Running server;
  const std::string events = server.exchange(post("/query", R"({"query":"who","stream":true})"));
  CHECK(contains(events, "Transfer-Encoding: chunked"));
  CHECK(contains(events, "event: token\ndata: {\"text\":\"WHO\"}\n\n"));
  CHECK(contains(events, "event: reply\ndata: {"));
  CHECK(events.ends_with("\r\n0\r\n\r\n"));

  server.engine.pieces = 1000;
  server.engine.hold();
  {
    Client leaving(server.port());
    leaving.send(post("/query", R"({"query":"long","stream":true})"));
    wait_until([&] { return server.engine.waiting == 1; });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // its end arrives
  server.engine.release();
  wait_until([&] { return server.engine.cancelled > 0; });
}

TEST_CASE("only a server of the same settings answers for rag-query") {
  const Running server;
  CHECK(status_of(server.exchange(post("/query", R"({"query":"a"})", "X-Frugal-Identity: same\r\n"))) == 200);
  CHECK(status_of(server.exchange(post("/query", R"({"query":"a"})", "X-Frugal-Identity: other\r\n"))) == 409);
}

TEST_CASE("told to stop, the server finishes what it has and refuses what is new") {
  Running server;
  server.engine.hold();
  Client client(server.port());
  client.send(post("/query", R"({"query":"one"})", "", "keep-alive"));
  wait_until([&] { return server.engine.waiting == 1; });
  Running::ask_to_stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server.engine.release();
  CHECK(contains(client.read_all(), "ONE"));  // and the connection ends
}

TEST_CASE("a port in use, a socket in use and a file that is no socket are refused with a hint") {
  const testing::TempFolder folder;
  const auto socket = folder.path() / "s.socket";
  const Listeners first(Address{"127.0.0.1", 0}, socket);
  const std::string& name = first.all()[0].name;
  const int port = std::stoi(name.substr(name.rfind(':') + 1));
  const auto taken = error_of([&] { Listeners(Address{"127.0.0.1", port}, {}); });
  REQUIRE(taken);
  CHECK(taken->code() == Code::bad_input);
  CHECK(contains(taken->hint(), "--port"));
  const auto busy = error_of([&] { Listeners(std::nullopt, socket); });
  REQUIRE(busy);
  CHECK(contains(busy->message(), "another server"));
  testing::write_file(folder.path() / "file", "text");
  CHECK(error_of([&] { Listeners(std::nullopt, folder.path() / "file"); }));
  const auto no_address = error_of([&] { Listeners(Address{"example.org", 0}, {}); });
  REQUIRE(no_address);
  CHECK(no_address->code() == Code::usage);
}

TEST_CASE("a socket that a dead process left is replaced, and its file is private and goes with the server") {
  const testing::TempFolder folder;
  const auto socket = folder.path() / "s.socket";
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket.c_str(), socket.native().size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
  }
  {
    const Listeners listeners(std::nullopt, socket);
    CHECK((std::filesystem::status(socket).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  }
  CHECK(!std::filesystem::exists(socket));
}

}  // namespace frugal
