// All settings of a program as one list, collected from the option structs (base/setting.h). YAML, --set, flags and
// configs/default.yaml work on this list. It handles keys and texts only, and includes no room that has options.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

/// A field of an option struct, type-erased: a pointer to a value of one of the types that text can be parsed as.
class SettingField {
 public:
  /// A value of an enum, or of an optional enum, by name.
  struct Choice {
    std::vector<std::string_view> names;
    std::function<std::string()> get;
    std::function<void(std::string_view)> set;  // its argument must be one of `names`
  };
  using Value = std::variant<bool*, int64_t*, uint64_t*, float*, std::string*, Choice>;

  SettingField(std::string key, Value value, const About& about)
      : key_(std::move(key)),
        value_(std::move(value)),
        about_(about),
        origin_(std::make_shared<std::string>(kDefault)) {}

  static constexpr std::string_view kDefault = "default";

  const std::string& key() const { return key_; }
  std::string_view doc() const { return about_.doc; }
  bool is_user_only() const { return about_.user_only; }
  /// The names of an enum's values; empty for other types.
  std::vector<std::string_view> choices() const;
  /// The value as text: sizes in bytes, strings without quotes.
  std::string text() const;
  /// Where the value comes from: the `origin` of the last set(), or "default".
  const std::string& origin() const { return *origin_; }
  /// Parses `text` and sets the value. Throws Error(usage), whose message begins with `origin`, for a text of the wrong
  /// type or out of range; the value is then unchanged.
  void set(std::string_view text, std::string_view origin) const;

 private:
  template <typename Number>
  Number parse_number(std::string_view text, std::string_view origin, std::string_view kind) const;
  Error wrong_value(std::string_view text, std::string_view origin, std::string_view expected) const;

  std::string key_;
  Value value_;
  About about_;
  std::shared_ptr<std::string> origin_;  // of the value, which copies of the field share
  friend class SettingList;
};

class SettingList {
 public:
  /// Collects the fields of `settings`, a struct with visit(); its current values are the defaults. Borrowed: it must
  /// outlive the list and not move.
  template <typename Settings>
  requires requires(Settings& settings, SettingList& list) { settings.visit(list); }
  explicit SettingList(Settings& settings) {
    settings.visit(*this);
    defaults_ = texts();
  }

  std::span<const SettingField> fields() const& { return fields_; }
  void fields() const&& = delete;  // the span would dangle
  /// The field of that key; null: unknown key.
  const SettingField* find(std::string_view key) const;
  /// The values as texts, in the order of the fields.
  std::vector<std::string> texts() const;
  /// Sets all values to the result of an earlier texts().
  void restore(std::span<const std::string> texts) const;
  /// Sets all values to their defaults.
  void reset() const;

  // --- called by a struct's visit() ---
  template <typename Value>
  void operator()(std::string_view key, Value& value, const About& about) {
    if constexpr (std::is_constructible_v<SettingField::Value, Value*>)
      add(key, &value, about);
    else
      FRUGAL_CHECK(!about.is_setting());  // a type that cannot be parsed from text
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
