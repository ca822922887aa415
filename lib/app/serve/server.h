// The server: accepts connections, lets handlers work, ends when it is told to. One thread moves bytes; the handlers
// run on those of a WorkQueue, and the computing on those of the models. Several worker processes can share the
// sockets (workers.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "app/api/routes.h"
#include "app/serve/connection.h"
#include "app/serve/listeners.h"
#include "app/serve/request_gate.h"

namespace frugal::serve {

struct ServerOptions {
  RequestGateOptions gate;
  size_t max_queued = 512;
  size_t handlers = 64;  // threads: as many requests can meet in one pass
  size_t max_connections = 1024;
  bool preload = false;
  /// Time that requests have to end after the server was told to stop.
  std::chrono::seconds grace{30};
  Patience patience;
};

/// Serves until SIGTERM or SIGINT, then finishes what is being handled and returns. SIGHUP closes index and models,
/// which the next request opens again. Calls `started` when it accepts connections. Borrows its arguments.
void run_server(api::Context& context, const std::vector<Listener>& listeners, const ServerOptions& options,
                const std::function<void()>& started = {});

}  // namespace frugal::serve
