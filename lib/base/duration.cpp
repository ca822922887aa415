#include "base/duration.h"

#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace frugal {
namespace {

constexpr double kLongest = 1e15;  // ms

std::optional<double> milliseconds_of(std::string_view unit) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
  for (const auto& [name, ms] : kUnits)
    if (unit == name) return ms;
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double total = 0;
  bool is_first = true;
  while (!text.empty()) {
    double number = 0;
    const auto [end, failure] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (failure != std::errc() || !(number >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    size_t letters = 0;
    while (letters < text.size() && std::isalpha(static_cast<unsigned char>(text[letters]))) ++letters;
    const std::optional<double> unit = letters == 0 ? 1e3 : milliseconds_of(text.substr(0, letters));
    const bool is_bare = letters == 0;  // seconds, and nothing else
    if (!unit || (is_bare && (!is_first || !text.empty()))) return std::nullopt;
    is_first = false;
    text.remove_prefix(letters);
    total += number * *unit;
  }
  if (!(total < kLongest)) total = kLongest;
  const auto ms = static_cast<int64_t>(total);
  return std::chrono::milliseconds(is_negative ? (ms > 0 ? -1 : 0) : ms);
}

}  // namespace frugal
