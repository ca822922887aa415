// Asks a running rag-serve. Written for the cold path: one connect() to a Unix socket where no server listens, and no
// library beyond the C library where one does.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace frugal {

struct ServiceAnswer {
  int status = 0;
  std::string body;
  std::string answered;  // of the header X-Frugal-Answered; empty: none
  int64_t hits = 0;      // of X-Frugal-Hits
};

/// POST `body` to `path` of the server at `place`: the path of a Unix socket, or http://ADDRESS:PORT. nullopt: no
/// server listens there, or it did not answer in time or in full. `identity`: what the server must agree with
/// (service_identity.h), else it answers 409.
std::optional<ServiceAnswer> ask_service(const std::string& place, std::string_view path, std::string_view identity,
                                         std::string_view body, std::chrono::milliseconds timeout);

}  // namespace frugal
