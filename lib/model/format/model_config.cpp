#include "model/format/model_config.h"

#include <fmt/format.h>

#include <charconv>

namespace frugal {
namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view ModelConfig::require_text(std::string_view key) const {
  const std::optional<std::string_view> value = text(key);
  if (!value) fail(fmt::format("config key '{}' is missing", key));
  return *value;
}

int64_t ModelConfig::require_int(std::string_view key, int64_t min, int64_t max) const {
  const std::string_view value = require_text(key);
  const std::optional<int64_t> number = parse_number<int64_t>(value);
  if (!number || *number < min || *number > max)
    fail(fmt::format("config key '{}' is '{}', expected an integer from {} to {}", key, value, min, max));
  return *number;
}

double ModelConfig::require_float(std::string_view key) const {
  const std::string_view value = require_text(key);
  const std::optional<double> number = parse_number<double>(value);
  if (!number) fail(fmt::format("config key '{}' is '{}', expected a number", key, value));
  return *number;
}

std::optional<int64_t> ModelConfig::find_int(std::string_view key) const {
  const std::optional<std::string_view> value = text(key);
  return value ? parse_number<int64_t>(*value) : std::nullopt;
}

std::optional<double> ModelConfig::find_float(std::string_view key) const {
  const std::optional<std::string_view> value = text(key);
  return value ? parse_number<double>(*value) : std::nullopt;
}

}  // namespace frugal
