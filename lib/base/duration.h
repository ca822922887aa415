// Durations as servers of models write them: Ollama's keep_alive.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace frugal::api {

/// "300" (seconds), "5m", "1h30m", "250ms", "0"; negative: without end, as -1. nullopt: it is none of these.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace frugal::api
