// An exchange that keeps what is sent, and the shortest way to a route.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/api/fake_engine.h"
#include "app/api/routes.h"

namespace frugal::testing {

class Recorded : public api::Exchange {
 public:
  void send(api::HttpReply reply) override {
    ++ends;
    status = reply.status;
    content_type = reply.content_type;
    body = std::move(reply.body);
    headers = std::move(reply.headers);
  }
  void begin(api::HttpReply head) override {
    status = head.status;
    content_type = head.content_type;
  }
  bool write(std::string_view piece) override {
    body += piece;
    return --pieces_until_gone != 0;
  }
  void end() override { ++ends; }
  bool is_cancelled() const override { return false; }

  nlohmann::json json() const { return nlohmann::json::parse(body); }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }

  int status = 0, ends = 0;
  int pieces_until_gone = -1;  // of a stream
  std::string content_type, body;
  api::Headers headers;
};

struct Api {
  FakeEngine engine;
  api::Context context{engine};

  Recorded call(const char* method, const std::string& path, const std::string& body = "", api::Headers headers = {}) {
    const api::Route* route = api::find_route(method, path);
    REQUIRE(route);
    api::HttpRequest request{method, path, "", std::move(headers), body};
    Recorded recorded;
    api::handle(*route, context, request, recorded);
    CHECK(recorded.ends == 1);  // every request is answered once
    return recorded;
  }
  Recorded post(const std::string& path, const std::string& body) { return call("POST", path, body); }
  Recorded get(const std::string& path) { return call("GET", path); }
};

}  // namespace frugal::testing
