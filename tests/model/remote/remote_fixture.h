// A service with quick deadlines over a server that a test scripts.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "model/remote/model_list.h"
#include "net/http_service.h"
#include "support/fault_server.h"

namespace frugal::testing {

constexpr const char* kJson = "application/json";

inline RemoteOptions quick_remote() {
  RemoteOptions options;
  options.connect_ms = 300;
  options.first_byte_ms = 300;
  options.total_ms = 600;
  options.max_bytes = 1 << 20;
  options.pause_ms = 0;
  return options;
}

inline ModelEntry entry_for(const FaultServer& server, const std::string& scheme, const std::string& model = "m") {
  return parse_model_list(scheme + ":" + server.url() + (model.empty() ? "" : "#" + model)).front();
}

inline std::shared_ptr<HttpService> service_for(const ModelEntry& entry, RemoteOptions options = quick_remote()) {
  return std::make_shared<HttpService>("svc", entry.url, "", std::move(options));
}

/// What a peer can do to a request, with what stands in the error.
struct Fault {
  const char* name;
  FaultServer::Answer answer;
};

/// The faults of any peer, whatever the request.
inline std::vector<Fault> common_faults() {
  using R = const ServedRequest&;
  using C = const ServedConnection&;
  return {
      {"blackhole", [](R, C peer) { return peer.be_silent(), false; }},
      {"reset", [](R, C peer) { return peer.reset(), false; }},
      {"end", [](R, C) { return false; }},
      {"stall behind the head",
       [](R, C peer) {
         peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[");
         return peer.be_silent(), false;
       }},
      {"drip",
       [](R, C peer) {
         peer.begin_stream(kJson);
         while (peer.chunk(" ")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
         return false;
       }},
      {"dies midway",
       [](R, C peer) {
         peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[");
         return peer.reset(), false;
       }},
      {"10 MB", [](R, C peer) { return peer.answer(200, kJson, std::string(10 << 20, '[')); }},
      {"deep", [](R, C peer) { return peer.answer(200, kJson, std::string(1 << 19, '[')); }},
      {"html", [](R, C peer) { return peer.answer(200, "text/html", "<html>"); }},
      {"no JSON", [](R, C peer) { return peer.answer(200, kJson, "{"); }},
      {"empty", [](R, C peer) { return peer.answer(200, kJson, ""); }},
      {"JSON of another shape", [](R, C peer) { return peer.answer(200, kJson, "{\"a\":[1]}"); }},
      {"a number", [](R, C peer) { return peer.answer(200, kJson, "7"); }},
      {"no UTF-8", [](R, C peer) { return peer.answer(200, kJson, "{\"data\":\"\xff\xfe\"}"); }},
      {"500", [](R, C peer) { return peer.answer(500, kJson, "{\"error\":1}"); }},
      {"429", [](R, C peer) { return peer.answer(429, kJson, ""); }},
      {"404", [](R, C peer) { return peer.answer(404, "text/plain", "no such model"); }},
      {"301", [](R, C peer) { return peer.answer(301, kJson, "", "Location: http://127.0.0.1:1/\r\n"); }},
      {"no HTTP", [](R, C peer) { return peer.send("220 smtp ready\r\n\r\n"), false; }},
  };
}

/// Runs `body` against each fault: it must end in Error(remote) within the total deadline and a tenth.
template <typename Body>
void expect_remote_errors(const std::vector<Fault>& faults, const Body& body) {
  for (const Fault& fault : faults) {
    CAPTURE(fault.name);
    FaultServer server(fault.answer);
    const auto began = std::chrono::steady_clock::now();
    std::optional<Error> error;
    try {
      body(server);
    } catch (const Error& thrown) {
      error = thrown;
    }
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
    CHECK(ms <= 660);
    REQUIRE(error);
    CHECK(error->code() == Code::remote);
    CHECK(error->message().starts_with("svc: "));
  }
}

}  // namespace frugal::testing
