// Worker processes that share listening sockets. Each is a whole server with its own engine; packs and vectors are
// mapped files, so that a further worker costs little memory. A worker that dies takes its own requests with it, and
// another takes its place.
#pragma once

#include <cstddef>
#include <functional>

namespace frugal::serve {

/// Forks `count` workers that run `work` with their number, and waits until SIGTERM or SIGINT, which it passes on. A
/// worker that takes another's place has its number. Returns in the workers, too, when `work` has returned. To be
/// called before the process has threads. `started` is called when all of them have been forked.
void run_workers(size_t count, const std::function<void(size_t worker)>& work, const std::function<void()>& started);

}  // namespace frugal::serve
