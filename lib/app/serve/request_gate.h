// Decides whether a request may be handled, from its head alone: the key, the Host that it names (against DNS
// rebinding: a page of another site whose name resolves to 127.0.0.1), and the Origin that a browser states.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/api/http.h"
#include "app/api/routes.h"

namespace frugal::serve {

struct RequestGateOptions {
  std::string key;                   // empty: none is asked for
  std::vector<std::string> hosts;    // beside localhost and the loopback addresses, without port
  std::vector<std::string> origins;  // as "https://notes.example", beside those of the hosts
};

class RequestGate {
 public:
  explicit RequestGate(RequestGateOptions options) : options_(std::move(options)) {}
  /// Why the request is refused; nullopt: it is not. `route` may be null. Requests over the Unix socket, which only
  /// its owner can open, pass.
  std::optional<api::HttpReply> refusal(const api::HttpRequest& request, const api::Route* route) const;
  /// The origin to name in the reply, so that a browser shows it to the page; empty: none.
  std::string allowed_origin(const api::HttpRequest& request) const;

 private:
  bool is_known_host(std::string_view host) const;
  bool is_known_origin(std::string_view origin) const;
  bool has_key(const api::HttpRequest& request) const;

  const RequestGateOptions options_;
};

}  // namespace frugal::serve
