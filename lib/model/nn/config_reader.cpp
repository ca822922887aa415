#include "model/nn/config_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"

namespace frugal {
namespace {

template <typename T>
T checked(std::optional<T> value, T min, T max, std::optional<T> fallback, const std::string& name) {
  if (!value) value = fallback;
  if (!value)
    throw Error(Code::bad_input, fmt::format("the configuration lacks '{}'", name))
        .hint("check that the checkpoint is complete");
  if (!(*value >= min && *value <= max))
    throw Error(Code::bad_input, fmt::format("'{}' is {}, outside [{}, {}]", name, *value, min, max));
  return *value;
}

}  // namespace

ConfigReader::ConfigReader(const Checkpoint& checkpoint, std::string prefix)
    : checkpoint_(checkpoint), prefix_(std::move(prefix)), gguf_(checkpoint.format() == "gguf") {}

std::string ConfigReader::name(ConfigKey key) const {
  return gguf_ ? fmt::format("{}.{}", checkpoint_.architecture(), key.gguf)
               : fmt::format("{}{}", prefix_, key.huggingface);
}

std::optional<std::string> ConfigReader::text(ConfigKey key) const {
  return checkpoint_.text(name(key));
}

std::vector<double> ConfigReader::numbers(ConfigKey key) const {
  return checkpoint_.numbers(name(key));
}

int64_t ConfigReader::integer(ConfigKey key, int64_t min, int64_t max, std::optional<int64_t> fallback) const {
  return checked(checkpoint_.integer(name(key)), min, max, fallback, name(key));
}

double ConfigReader::number(ConfigKey key, double min, double max, std::optional<double> fallback) const {
  return checked(checkpoint_.number(name(key)), min, max, fallback, name(key));
}

}  // namespace frugal
