// Sizes and times between programs and people: parses "64MiB" or "1.5G", prints "64.0 MiB".
#pragma once

#include <time.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kGiB = 1024 * kMiB;

/// The bytes of "64MiB", "1.5G", "200 MB", "4096". K, M, G, T and KiB… are powers of 1024; KB, MB… powers of 1000.
/// Throws Error(usage) that names `what` for any other text, including negative and overflowing values.
uint64_t parse_bytes(std::string_view text, std::string_view what = "size");

std::string format_bytes(uint64_t bytes);

/// The nanoseconds of a time as the system gives it.
constexpr int64_t nanoseconds(const timespec& time) {
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

constexpr double to_milliseconds(int64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

}  // namespace frugal
