// The words in which an option struct says what its fields are, so that each setting is stated once:
//
//   struct RetrieveOptions {
//     bool sparse = true;
//     int64_t candidates = 100;
//     template <class F>
//     void visit(F&& f) {
//       f("retrieval.sparse", sparse, {"search by words (BM25)"});
//       f("retrieval.candidates", candidates, {"chunks to retrieve by each list", Range{1, 1e6}});
//     }
//   };
//
// YAML, --set, flags, --help and configs/default.yaml (app/config/setting_list.h) and the keys of caches
// (settings_text) visit the same fields. A struct that holds another one calls f(other) for its fields. Not the reading
// of configurations: rooms that have options include this and nothing of app/.
#pragma once

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace frugal {

/// Of a number, both ends included.
struct Range {
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
};

enum class Unit { none, bytes };  // bytes: written like 64MiB, too

/// What a field says about itself beside its key, its value and its default. Values: bool, integers, float,
/// std::string, a NamedEnum, and std::optional of one, where none is written "auto".
struct About {
  std::string_view doc;  // one line, for configs/default.yaml and --help
  Range range = {};
  Unit unit = Unit::none;
  // Not from a configuration that is read only because it lies in the current folder: the value names a file to write.
  bool user_only = false;
  bool is_setting() const { return !doc.empty(); }
};
/// Of a field that results depend on and no user sets.
inline constexpr About kInternal = {};

/// A value of an enum and the name that users and files have for it.
template <typename Enum>
using Named = std::pair<Enum, std::string_view>;

/// An enum beside which a function `names_of(Enum)` returns a std::array of Named, in the order of messages.
template <typename Enum>
concept NamedEnum = std::is_enum_v<Enum> && requires(Enum value) {
  names_of(value);
};

template <NamedEnum Enum>
constexpr std::string_view to_string(Enum value) {
  for (const auto& [known, name] : names_of(value))
    if (known == value) return name;
  return "unknown";
}

template <NamedEnum Enum>
constexpr std::optional<Enum> find_named(std::string_view text) {
  for (const auto& [known, name] : names_of(Enum{}))
    if (name == text) return known;
  return std::nullopt;
}

template <NamedEnum Enum>
std::vector<std::string_view> all_names() {
  std::vector<std::string_view> all;
  for (const auto& each : names_of(Enum{})) all.push_back(each.second);
  return all;
}

/// Throws Error(usage): "unknown WHAT 'TEXT'", with the known names as its hint.
[[noreturn]] void throw_unknown_name(std::string_view what, std::string_view text,
                                     const std::vector<std::string_view>& known);

/// The value of that name; `what` says in the message what it is a name of. Throws Error(usage).
template <NamedEnum Enum>
Enum parse_named(std::string_view what, std::string_view text) {
  if (const std::optional<Enum> value = find_named<Enum>(text)) return *value;
  throw_unknown_name(what, text, all_names<Enum>());
}

/// How a value is written in a configuration; bytes as a plain number.
template <typename Value>
std::string setting_text(const Value& value) {
  if constexpr (NamedEnum<Value>)
    return std::string(to_string(value));
  else
    return fmt::format("{}", value);
}
template <NamedEnum Enum>
std::string setting_text(const std::optional<Enum>& value) {
  return value ? setting_text(*value) : "auto";
}

/// Writes "key=value" of every field that it visits, internal ones too, a line each.
struct SettingWriter {
  std::string text;
  template <typename Value>
  void operator()(std::string_view key, Value& value, const About&) {
    text += fmt::format("{}={}\n", key, setting_text(value));
  }
  template <typename Group>
  void operator()(Group& group) {
    group.visit(*this);
  }
};

/// All fields as text, for the key of a cache.
template <typename Settings>
std::string settings_text(Settings settings) {
  SettingWriter writer;
  settings.visit(writer);
  return std::move(writer.text);
}

}  // namespace frugal
