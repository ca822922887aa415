#include "base/log.h"

#include <atomic>
#include <mutex>

namespace frugal {
namespace {

struct LogState {
  std::mutex mutex;
  LogSink sink;
  std::atomic<int> level{-1};
};

LogState& state() {
  static LogState instance;
  return instance;
}

}  // namespace

void set_log_sink(LogSink sink, LogLevel level) {
  std::lock_guard lock(state().mutex);
  state().level = sink ? static_cast<int>(level) : -1;
  state().sink = std::move(sink);
}

bool log_enabled(LogLevel level) {
  return static_cast<int>(level) <= state().level.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view line) {
  std::lock_guard lock(state().mutex);
  if (state().sink && log_enabled(level)) state().sink(level, line);
}

}  // namespace frugal
