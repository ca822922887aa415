// Every setting of a program as one list, in whatever structs they lie (base/setting.h): what YAML, --set, flags and
// configs/default.yaml work on. It knows keys and texts, and nothing of what the settings are for.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/setting.h"

namespace frugal {

/// A field of an option struct, its type erased to what a text can be read as.
class SettingField {
 public:
  /// A value with a name: of an enum, or of an optional one.
  struct Choice {
    std::vector<std::string_view> names;
    std::function<std::string()> get;
    std::function<void(std::string_view)> set;  // takes one of `names`
  };
  using Value = std::variant<bool*, int64_t*, uint64_t*, float*, std::string*, Choice>;

  SettingField(std::string key, Value value, const About& about)
      : key_(std::move(key)), value_(std::move(value)), about_(about) {}

  const std::string& key() const { return key_; }
  std::string_view doc() const { return about_.doc; }
  /// Names that the value must be one of; empty: there are none.
  std::vector<std::string_view> choices() const;
  /// The value as default.yaml writes it: sizes in bytes, strings bare.
  std::string text() const;
  /// Throws Error(usage), which `origin` begins, for a text of the wrong type or out of range; the value then stays.
  void set(std::string_view text, std::string_view origin) const;

 private:
  template <typename Number>
  Number parse_number(std::string_view text, std::string_view origin, std::string_view kind) const;
  Error wrong_value(std::string_view text, std::string_view origin, std::string_view expected) const;

  std::string key_;
  Value value_;
  About about_;
};

class SettingList {
 public:
  /// Borrows `settings`, a struct with visit(), whose values now are the defaults. It has to stay where it is.
  template <typename Settings>
  requires requires(Settings& settings, SettingList& list) { settings.visit(list); }
  explicit SettingList(Settings& settings) {
    settings.visit(*this);
    defaults_ = texts();
  }

  std::span<const SettingField> fields() const& { return fields_; }
  void fields() const&& = delete;  // the fields would die with the list
  /// null: there is no such key.
  const SettingField* find(std::string_view key) const;
  /// The values in the order of the fields, and back.
  std::vector<std::string> texts() const;
  void restore(std::span<const std::string> texts) const;
  void reset() const { restore(defaults_); }

  // What a struct's visit() calls.
  template <typename Value>
  void operator()(std::string_view key, Value& value, const About& about) {
    if constexpr (std::is_constructible_v<SettingField::Value, Value*>)
      add(key, &value, about);
    else
      FRUGAL_CHECK(!about.is_setting());  // a type that no text is read as
  }
  template <NamedEnum Enum>
  void operator()(std::string_view key, Enum& value, const About& about) {
    const auto set = [&value](std::string_view name) { value = *find_named<Enum>(name); };
    add(key, SettingField::Choice{all_names<Enum>(), [&value] { return setting_text(value); }, set}, about);
  }
  template <NamedEnum Enum>
  void operator()(std::string_view key, std::optional<Enum>& value, const About& about) {
    std::vector<std::string_view> names = all_names<Enum>();
    names.insert(names.begin(), "auto");
    const auto set = [&value](std::string_view name) { value = find_named<Enum>(name); };
    add(key, SettingField::Choice{std::move(names), [&value] { return setting_text(value); }, set}, about);
  }
  template <typename Group>
  void operator()(Group& group) {
    group.visit(*this);
  }

 private:
  void add(std::string_view key, SettingField::Value value, const About& about);

  std::vector<SettingField> fields_;
  std::vector<std::string> defaults_;
};

}  // namespace frugal
