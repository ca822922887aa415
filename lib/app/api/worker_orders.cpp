#include "app/api/worker_orders.h"

#include "app/api/worker_board.h"
#include "base/log.h"

namespace frugal::api {
namespace {

// Counts an order, and has this worker skip it unless another's stands before it.
void give(std::atomic<uint64_t>& order, std::atomic<uint64_t>& obeyed) {
  uint64_t before = order.fetch_add(1);
  obeyed.compare_exchange_strong(before, before + 1);
}

// Whether orders have come since the last call.
bool take(const std::atomic<uint64_t>& order, std::atomic<uint64_t>& obeyed) {
  const uint64_t now = order;
  return obeyed.exchange(now) != now;
}

}  // namespace

uint64_t unload_workers(Context& context) {
  if (context.board) give(context.board->orders().unloads, context.obeyed_unloads);
  return context.engine.unload();
}

void keep_workers_alive(Context& context, std::chrono::milliseconds duration) {
  context.engine.set_keep_alive(duration);
  if (!context.board) return;
  WorkerOrders& orders = context.board->orders();
  orders.keep_alive_ms = duration.count();
  give(orders.keep_alives, context.obeyed_keep_alives);
}

void obey_orders(Context& context) {
  if (!context.board) return;
  const WorkerOrders& orders = context.board->orders();
  try {
    if (take(orders.keep_alives, context.obeyed_keep_alives))
      context.engine.set_keep_alive(std::chrono::milliseconds(orders.keep_alive_ms));
    if (take(orders.unloads, context.obeyed_unloads)) context.engine.unload();
  } catch (const std::exception& error) {
    log(LogLevel::warn, "unloading failed: {}", error.what());
  }
}

}  // namespace frugal::api
