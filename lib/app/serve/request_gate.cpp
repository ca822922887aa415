#include "app/serve/request_gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"

namespace frugal::serve {
namespace {

// Without the port: of "[::1]:8321", "[::1]".
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

// Takes the same time for every wrong key: digests are compared, and to their ends.
bool is_same_secret(std::string_view a, std::string_view b) {
  const std::string first = sha256_hex(a), second = sha256_hex(b);
  unsigned difference = 0;
  for (size_t i = 0; i < first.size(); ++i)
    difference |= static_cast<unsigned char>(first[i]) ^ static_cast<unsigned char>(second[i]);
  return difference == 0;
}

}  // namespace

bool RequestGate::is_known_host(std::string_view host) const {
  const std::string name = api::lower_case(without_port(host));
  for (const char* local : {"localhost", "127.0.0.1", "[::1]"})
    if (name == local) return true;
  return std::find(options_.hosts.begin(), options_.hosts.end(), name) != options_.hosts.end();
}

bool RequestGate::is_known_origin(std::string_view origin) const {
  if (std::find(options_.origins.begin(), options_.origins.end(), origin) != options_.origins.end()) return true;
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && is_known_host(origin.substr(scheme + 3));
}

bool RequestGate::has_key(const api::HttpRequest& request) const {
  std::string_view given = request.header("authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (given.size() > kBearer.size() && api::lower_case(given.substr(0, kBearer.size())) == kBearer)
    given.remove_prefix(kBearer.size());
  else
    given = request.header("x-api-key");
  return is_same_secret(given, options_.key);
}

std::optional<api::HttpReply> RequestGate::refusal(const api::HttpRequest& request, const api::Route* route) const {
  if (request.is_local) return std::nullopt;
  const api::ErrorStyle style = route ? route->errors : api::error_style_of(request.path);
  if (!is_known_host(request.header("host")))
    return api::error_reply(style, 403, "the Host of the request is not one of this server's",
                            "start rag-serve with --allow-host NAME");
  const std::string_view origin = request.header("origin");
  if (!origin.empty() && !is_known_origin(origin))
    return api::error_reply(style, 403, "pages of this origin may not use this server",
                            "start rag-serve with --allow-origin ORIGIN");
  const bool is_open = route && (route->path == "/health" || route->path == "/ping");
  if (!options_.key.empty() && !is_open && !has_key(request))
    return api::error_reply(style, 401, "the API key is missing or wrong", "send it as Authorization: Bearer KEY");
  return std::nullopt;
}

std::string RequestGate::allowed_origin(const api::HttpRequest& request) const {
  const std::string_view origin = request.header("origin");
  const bool is_listed = std::find(options_.origins.begin(), options_.origins.end(), origin) != options_.origins.end();
  return is_listed ? std::string(origin) : std::string();
}

}  // namespace frugal::serve
