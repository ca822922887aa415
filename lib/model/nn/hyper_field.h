// A table of an architecture's hyper-parameters. Each line gives the key in a pack, the keys in checkpoints, the member
// that holds the value, the bounds, and the default for checkpoints that lack the key. The plan of a checkpoint and the
// loader of a pack read the same table.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/error.h"
#include "model/format/model_config.h"
#include "model/nn/config_reader.h"

namespace frugal {

template <class Config>
struct HyperField {
  /// Inclusive; for numbers only.
  struct Range {
    double min = 0, max = 0;
  };

  std::string_view key;  // in the pack, without the architecture's prefix: "layers" for "bert.layers"
  ConfigKey source;      // both empty: the plan takes the value from a tensor's shape
  std::variant<int64_t Config::*, double Config::*, std::string Config::*> member;
  Range range = {};
  /// The default: a value, or a function of the fields above. None: checkpoints must have the key. Text always has one.
  std::variant<std::monostate, double, std::string_view, int64_t (*)(const Config&)> fallback = {};
};

template <class Config>
class HyperTable {
 public:
  using Field = HyperField<Config>;
  /// `prefix` begins the keys in a pack: "bert". Borrows `fields`.
  constexpr HyperTable(std::string_view prefix, std::span<const Field> fields) : prefix_(prefix), fields_(fields) {}

  /// Reads the fields from a checkpoint's configuration, in order; fields without a source stay zero. Throws
  /// Error(bad_input) with the checkpoint's key and the bounds.
  Config read(const ConfigReader& reader) const {
    Config config{};
    for (const Field& field : fields_)
      if (!field.source.huggingface.empty() || !field.source.gguf.empty())
        std::visit(
            [&](auto member) {
              // GCC 12 warns of a text in a struct that is too small for one.
              if constexpr (sizeof(config.*member) <= sizeof(Config))
                config.*member = source_value(reader, field, config, config.*member);
            },
            field.member);
    return config;
  }

  /// Writes the fields as flat keys of a pack. Throws Error(bad_input) if one is out of bounds.
  void write(const Config& config, std::map<std::string, std::string>& out) const {
    for (const Field& field : fields_)
      std::visit(
          [&](auto member) {
            if (!within(field, config.*member))
              throw Error(Code::bad_input, fmt::format("'{}' is {}, outside [{}, {}]", field.key, config.*member,
                                                       field.range.min, field.range.max));
            out[name(field)] = fmt::format("{}", config.*member);
          },
          field.member);
  }

  /// Reads the fields from a pack. Throws what ModelConfig::fail throws, with the pack's key and the bounds.
  Config read(const ModelConfig& pack) const {
    Config config{};
    for (const Field& field : fields_)
      std::visit(
          [&](auto member) {
            if constexpr (sizeof(config.*member) <= sizeof(Config))
              config.*member = pack_value(pack, field, config.*member);
          },
          field.member);
    return config;
  }

 private:
  std::string name(const Field& field) const { return fmt::format("{}.{}", prefix_, field.key); }

  template <class Value>
  static bool within(const Field& field, const Value& value) {
    if constexpr (std::is_arithmetic_v<Value>)
      return static_cast<double>(value) >= field.range.min && static_cast<double>(value) <= field.range.max;
    else
      return true;
  }

  // Overloads by the type of the member; the value of the last argument is not used.
  static int64_t source_value(const ConfigReader& reader, const Field& field, const Config& config, int64_t) {
    std::optional<int64_t> fallback;
    if (const auto* fixed = std::get_if<double>(&field.fallback)) fallback = static_cast<int64_t>(*fixed);
    if (const auto* derived = std::get_if<int64_t (*)(const Config&)>(&field.fallback)) fallback = (*derived)(config);
    return reader.integer(field.source, static_cast<int64_t>(field.range.min), static_cast<int64_t>(field.range.max),
                          fallback);
  }
  static double source_value(const ConfigReader& reader, const Field& field, const Config&, double) {
    std::optional<double> fallback;
    if (const auto* fixed = std::get_if<double>(&field.fallback)) fallback = *fixed;
    return reader.number(field.source, field.range.min, field.range.max, fallback);
  }
  static std::string source_value(const ConfigReader& reader, const Field& field, const Config&, const std::string&) {
    const auto* fallback = std::get_if<std::string_view>(&field.fallback);
    FRUGAL_CHECK(fallback != nullptr);
    return reader.text(field.source).value_or(std::string(*fallback));
  }

  int64_t pack_value(const ModelConfig& pack, const Field& field, int64_t) const {
    return pack.require_int(name(field), static_cast<int64_t>(field.range.min), static_cast<int64_t>(field.range.max));
  }
  double pack_value(const ModelConfig& pack, const Field& field, double) const {
    const double value = pack.require_float(name(field));
    if (!within(field, value))
      pack.fail(fmt::format("config key '{}' is '{}', expected a number from {} to {}", name(field), value,
                            field.range.min, field.range.max));
    return value;
  }
  std::string pack_value(const ModelConfig& pack, const Field& field, const std::string&) const {
    return std::string(pack.require_text(name(field)));
  }

  std::string_view prefix_;
  std::span<const Field> fields_;
};

}  // namespace frugal
