#include "base/units.h"

#include <fmt/format.h>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace frugal {
namespace {

// Factor of a unit in lower case, 0 if unknown.
double unit_factor(const std::string& unit) {
  if (unit.empty() || unit == "b") return 1;
  static constexpr std::string_view kLetters = "kmgt";
  const size_t power = kLetters.find(unit[0]);
  if (power == std::string_view::npos) return 0;
  const std::string rest = unit.substr(1);
  if (rest.empty() || rest == "i" || rest == "ib") return std::pow(1024.0, double(power) + 1);
  if (rest == "b") return std::pow(1000.0, double(power) + 1);
  return 0;
}

}  // namespace

uint64_t parse_bytes(std::string_view text, std::string_view what) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number);
  std::string unit;
  for (const char* c = stop; c != end; ++c)
    if (*c != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  const double factor = unit_factor(unit);
  const double bytes = number * factor;
  // 2^63 bounds the value so that the conversion below is defined.
  if (status != std::errc() || factor == 0 || !(bytes >= 0) || bytes >= 9.2e18)
    throw Error(Code::usage, fmt::format("{}: '{}' is not a size", what, text))
        .hint("write it like 64MiB, 1.5G or 4096");
  return static_cast<uint64_t>(bytes);
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  int unit = 0;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace frugal
