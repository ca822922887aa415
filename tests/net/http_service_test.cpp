// The HTTP service against a server of this process that plays each fault. The clock is real where a deadline is
// tested: it must hold within a tenth.
#include "net/http_service.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>

#include "support/errors.h"
#include "support/fault_server.h"
#include "support/temp_folder.h"

#ifdef FRUGAL_TEST_HTTP

namespace frugal {
namespace {

using testing::contains;
using testing::error_of;
using testing::FaultServer;
using testing::message_of;
using testing::ServedConnection;
using testing::ServedRequest;

const bool kPluginsAreHere = ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_HTTP, 1) == 0;

constexpr const char* kJson = "application/json";

RemoteOptions quick() {
  RemoteOptions options;
  options.connect_ms = 500;
  options.first_byte_ms = 500;
  options.total_ms = 1000;
  options.max_bytes = 1 << 20;
  options.pause_ms = 0;
  return options;
}

int64_t elapsed_ms(const std::function<void()>& body) {
  const auto began = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
}

struct Ended {
  std::string message;
  int64_t ms = 0;
};

// What a post to a server with this fault ends in.
Ended post_to(const FaultServer::Answer& fault, RemoteOptions options = quick()) {
  FaultServer server(fault);
  HttpService service("svc", server.url(), "", options);
  Ended ended;
  ended.ms = elapsed_ms([&] {
    const std::optional<Error> error = error_of([&] { service.post("/x", "{}"); });
    if (!error) return;
    CHECK(error->code() == Code::remote);
    ended.message = error->message();
  });
  return ended;
}

TEST_CASE("a request and its answer pass unchanged, on one connection") {
  REQUIRE(kPluginsAreHere);
  FaultServer server([](const ServedRequest& request, const ServedConnection& peer) {
    return peer.answer(200, "Application/JSON; charset=utf-8",
                       request.method + " " + request.path + " " + request.body);
  });
  HttpService service("svc", server.url() + "/v1", "secret", quick());
  const std::string body = "{\"text\":\"ação\"}" + std::string(300'000, ' ');
  CHECK(service.post("/embed", body) == "POST /v1/embed " + body);
  CHECK(contains(server.last().head, "Authorization: Bearer secret\r\n"));
  CHECK(contains(server.last().head, "Content-Type: application/json\r\n"));
  CHECK_FALSE(contains(server.last().head, "Expect"));
  CHECK(service.send("GET", "/info", "", kJson) == "GET /v1/info ");
}

// The servers here are silent until the client leaves. How long after a deadline it does: scripts/torture-remotes.
TEST_CASE("silence, at any point, ends with the deadline") {
  Ended ended = post_to([](const ServedRequest&, const ServedConnection& peer) {
    peer.be_silent();
    return false;
  });
  CHECK(ended.message == "svc: no answer within 500 ms");
  CHECK(ended.ms >= 450);

  ended = post_to([](const ServedRequest&, const ServedConnection& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{");
    peer.be_silent();
    return false;
  });
  CHECK(ended.message == "svc: no whole answer within 1000 ms");
  CHECK(ended.ms >= 950);

  // A byte now and then does not prolong it.
  ended = post_to([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream("application/json");
    while (peer.chunk(" ")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return false;
  });
  CHECK(ended.message == "svc: no whole answer within 1000 ms");
}

TEST_CASE("a broken connection is tried again, and then an error") {
  for (const bool reset : {true, false}) {
    FaultServer server([&](const ServedRequest& request, const ServedConnection& peer) {
      if (request.number <= 2) {
        if (reset) peer.reset();
        return false;
      }
      return peer.answer(200, kJson, "{}");
    });
    HttpService service("svc", server.url(), "", quick());
    CHECK(service.post("", "{}") == "{}");
    CHECK(server.requests() == 3);
  }
  const Ended ended = post_to([](const ServedRequest&, const ServedConnection& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{");
    peer.reset();
    return false;
  });
  CHECK(contains(ended.message, "svc: the connection broke off: "));
}

TEST_CASE("a refused connection is an error") {
  std::string gone;
  {
    gone = FaultServer([](const ServedRequest&, const ServedConnection&) { return false; }).url();
  }
  HttpService service("svc", gone, "", quick());
  CHECK(contains(message_of([&] { service.post("", "{}"); }), "svc: cannot be reached: "));
}

TEST_CASE("a busy service is asked again, as it says when") {
  for (const int status : {429, 500, 503}) {
    CAPTURE(status);
    FaultServer server([&](const ServedRequest& request, const ServedConnection& peer) {
      return request.number == 1 ? peer.answer(status, "text/plain", "busy", "Retry-After: 0\r\n")
                                 : peer.answer(200, kJson, "{}");
    });
    HttpService service("svc", server.url(), "", quick());
    CHECK(service.post("", "{}") == "{}");
    CHECK(server.requests() == 2);
  }
  FaultServer server([&](const ServedRequest&, const ServedConnection& peer) {
    return peer.answer(503, "text/plain", "busy\x1b[2J", "Retry-After: 60\r\n");
  });
  HttpService service("svc", server.url(), "", quick());
  CHECK(message_of([&] { service.post("", "{}"); }) == "svc: status 503: busy\\x1b[2J");
  CHECK(server.requests() == 1);  // it does not wait beyond its deadline, to ask again
}

TEST_CASE("a refused request is not repeated, and shows no key") {
  FaultServer server([&](const ServedRequest& request, const ServedConnection& peer) {
    return request.path == "/moved" ? peer.answer(301, kJson, "", "Location: http://127.0.0.1:1/\r\n")
                                    : peer.answer(401, kJson, "bad key Bearer s3cret!");
  });
  HttpService service("svc", server.url(), "s3cret!", quick());
  CHECK(message_of([&] { service.post("", "{}"); }) == "svc: status 401: bad key Bearer ***");
  CHECK(server.requests() == 1);
  CHECK(contains(message_of([&] { service.post("/moved", "{}"); }), "svc: status 301"));
  CHECK(server.requests() == 2);
}

TEST_CASE("an answer of the wrong kind or size is an error") {
  CHECK(contains(post_to([](const ServedRequest&, const ServedConnection& peer) {
                   return peer.answer(200, "text/html", "<html>");
                 }).message,
                 "svc: the answer is 'text/html', not application/json"));
  const Ended large = post_to([](const ServedRequest&, const ServedConnection& peer) {
    return peer.answer(200, kJson, std::string(10 << 20, ' '));
  });
  CHECK(large.message == "svc: the answer is too large (remote.max_bytes is 1048576)");
  CHECK(post_to([](const ServedRequest&, const ServedConnection& peer) {
          std::string head = "HTTP/1.1 200 OK\r\n";
          for (int i = 0; i < 30'000; ++i) head += "X-More: " + std::string(50, 'x') + "\r\n";
          peer.send(head);
          peer.be_silent();
          return false;
        }).message == "svc: the answer is too large (remote.max_bytes is 1048576)");
  CHECK(contains(post_to([](const ServedRequest&, const ServedConnection& peer) {
                   peer.send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
                   return false;
                 }).message,
                 "svc: the answer is no HTTP"));
}

TEST_CASE("a service that failed is paused, one that refuses is not") {
  RemoteOptions options = quick();
  options.pause_ms = 60'000;
  FaultServer server([](const ServedRequest& request, const ServedConnection& peer) {
    if (request.path == "/no") return peer.answer(400, kJson, "no");
    if (request.path == "/slow") peer.be_silent();
    return peer.answer(200, "text/html", "");
  });
  HttpService service("svc", server.url(), "", options);
  CHECK(message_of([&] { service.post("/no", "{}"); }) == "svc: status 400: no");
  // The deadline of a caller says nothing about the service.
  CHECK(message_of([&] { service.send("POST", "/slow", "{}", kJson, {}, 50); }) == "svc: no answer within 50 ms");
  CHECK(contains(message_of([&] { service.post("/html", "{}"); }), "text/html"));
  const int asked = server.requests();
  CHECK(
      contains(message_of([&] { service.post("/no", "{}"); }), "svc: not asked again yet, because of: the answer is"));
  CHECK(server.requests() == asked);
}

TEST_CASE("a stream that breaks off is not repeated") {
  FaultServer server([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream("text/event-stream");
    peer.chunk("data: 1\n\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    peer.reset();
    return false;
  });
  HttpService service("svc", server.url(), "", quick());
  std::string streamed;
  const HttpSink sink = [&](std::string_view bytes) {
    streamed += bytes;
    return true;
  };
  CHECK(contains(message_of([&] { service.send("POST", "", "{}", "text/event-stream", sink); }), "broke off"));
  CHECK(streamed == "data: 1\n\n");
  CHECK(server.requests() == 1);
}

TEST_CASE("keys come from a file or the environment, and addresses are checked") {
  const testing::TempFolder folder;
  RemoteOptions options;
  ::unsetenv("FRUGAL_TEST_KEY");
  ::unsetenv("FRUGAL_API_KEY");
  CHECK(read_service_key(options, "FRUGAL_TEST_KEY").empty());
  ::setenv("FRUGAL_API_KEY", "common", 1);
  CHECK(read_service_key(options, "FRUGAL_TEST_KEY") == "common");
  ::setenv("FRUGAL_TEST_KEY", "own", 1);
  CHECK(read_service_key(options, "FRUGAL_TEST_KEY") == "own");
  options.key_file = (folder / "key").native();
  CHECK(error_of([&] { read_service_key(options, "FRUGAL_TEST_KEY"); }).has_value());
  testing::write_file(folder / "key", "filed\r\n");
  CHECK(read_service_key(options, "FRUGAL_TEST_KEY") == "filed");
  testing::write_file(folder / "key", "two words\n");
  CHECK(error_of([&] { read_service_key(options, "FRUGAL_TEST_KEY"); })->code() == Code::usage);
  ::unsetenv("FRUGAL_TEST_KEY");
  ::unsetenv("FRUGAL_API_KEY");

  check_service_url("http://127.0.0.1:8080");
  check_service_url("https://example.org/v1");
  for (const char* bad : {"ftp://x", "file:///etc/passwd", "http://", "http:///v1", "http://u:secret@h", "http://a b",
                          "http://h/\r\nX: y", "http://h/?key=1", "h:80"}) {
    CAPTURE(bad);
    const auto error = error_of([&] { check_service_url(bad); });
    REQUIRE(error);
    CHECK(error->code() == Code::usage);
    CHECK_FALSE(contains(error->message(), "secret"));
  }
}

TEST_CASE("waits between attempts double, and never end before the service says") {
  CHECK(retry_wait_ms(0, 1, -1) == 100);
  CHECK(retry_wait_ms(1, 1, -1) == 200);
  CHECK(retry_wait_ms(3, 0.5, -1) == 400);
  CHECK(retry_wait_ms(40, 1, -1) == 5000);
  CHECK(retry_wait_ms(0, 0.5, 2000) == 2000);
  CHECK(retry_wait_ms(5, 0, -1) == 0);
}

}  // namespace
}  // namespace frugal

#endif
