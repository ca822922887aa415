// Durations in words: settings and the keep_alive of requests.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace frugal {

/// "300" (seconds), "5m", "1h30m", "250ms", "0"; negative: without end, as -1. nullopt: it is none of these.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace frugal
