// Log lines of the library. The library itself never prints: lines go to the sink that the process installed (app/cli
// does), or nowhere.
#pragma once

#include <fmt/format.h>

#include <array>
#include <functional>
#include <string_view>
#include <utility>

#include "base/setting.h"

namespace frugal {

enum class LogLevel { error, warn, info, debug };
constexpr std::array<Named<LogLevel>, 4> names_of(LogLevel) {
  return {{{LogLevel::error, "error"}, {LogLevel::warn, "warn"}, {LogLevel::info, "info"}, {LogLevel::debug, "debug"}}};
}

using LogSink = std::function<void(LogLevel, std::string_view line)>;

/// Installs the sink and the most verbose level that reaches it. Thread-safe; the sink is called under a lock.
void set_log_sink(LogSink sink, LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view line);

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace frugal
