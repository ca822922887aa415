// The routes of the server: a table of method, path and handler. A protocol is a file with its handlers
// (frugal_routes.cpp, tei_routes.cpp, …); a new route is a handler and a line in routes.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "app/api/engine.h"
#include "app/api/http.h"
#include "base/error.h"

namespace frugal::api {

class WorkerBoard;

/// Figures of the transport, for /status and /metrics.
struct ServerFigures {
  int64_t connections = 0;
  int64_t queued = 0, running = 0;     // requests
  int64_t requests = 0, rejected = 0;  // so far; rejected: because the queue was full
  double uptime_s = 0;
};

/// What handlers share.
struct Context {
  Engine& engine;
  std::string identity = {};  // of the answers that the server gives (service_identity.h)
  std::string name = "frugal";
  std::function<ServerFigures()> figures = [] { return ServerFigures{}; };
  std::atomic<bool> is_ready{true};                                // false while the server preloads
  WorkerBoard* board = nullptr;                                    // null: this is the only process
  size_t worker = 0;                                               // its number on the board
  std::atomic<uint64_t> obeyed_unloads{0}, obeyed_keep_alives{0};  // of the board's orders (worker_orders.h)
};

/// In which form a client expects errors.
enum class ErrorStyle { frugal, tei, openai, ollama };

using Handler = void (*)(Context& context, const HttpRequest& request, Exchange& exchange);

struct Route {
  std::string_view method, path;
  Handler handle;
  ErrorStyle errors = ErrorStyle::frugal;
  /// Answers from what is known, without waiting: it neither loads a model nor waits in the queue.
  bool is_probe = false;
  uint64_t max_body_bytes = uint64_t(2) << 20;
};

/// All routes.
std::span<const Route> routes();
/// The route of a request; null: there is none.
const Route* find_route(std::string_view method, std::string_view path);
/// Methods that the path has, as the value of Allow; empty: the path is unknown.
std::string allowed_methods(std::string_view path);
/// For errors of requests without a route.
ErrorStyle error_style_of(std::string_view path);

/// Runs the handler; what it throws becomes a reply.
void handle(const Route& route, Context& context, const HttpRequest& request, Exchange& exchange);

/// An error in the form of a protocol.
HttpReply error_reply(ErrorStyle style, int status, const std::string& message, const std::string& hint = {});
/// The same of an Error, with the status of its code.
HttpReply error_reply(ErrorStyle style, const Error& error);

HttpReply json_reply(std::string body, int status = 200);

}  // namespace frugal::api
