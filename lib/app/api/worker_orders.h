// What one worker asks of all: it stands on the board that they share, and each obeys with its next tick.
#pragma once

#include <chrono>
#include <cstdint>

#include "app/api/routes.h"

namespace frugal::api {

/// Unloads index and models of every worker: of this one at once, of the others within half a second. Returns the bytes
/// that were freed in this one. Throws Error like Engine::unload().
uint64_t unload_workers(Context& context);
/// Sets how long index and models of every worker stay loaded after their last use (Engine::set_keep_alive).
void keep_workers_alive(Context& context, std::chrono::milliseconds duration);
/// Does what other workers have asked for since the last call. May wait for a computation; what fails is logged.
void obey_orders(Context& context);

}  // namespace frugal::api
