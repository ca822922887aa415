#include "app/config/setting_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/units.h"

namespace frugal {
namespace {

template <typename... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Match(Cases...) -> Match<Cases...>;

std::string range_text(const Range& range, std::string_view kind) {
  if (std::isinf(range.max)) return fmt::format("{}, at least {}", kind, range.min);
  return fmt::format("{} from {} to {}", kind, range.min, range.max);
}

}  // namespace

Error SettingField::wrong_value(std::string_view text, std::string_view origin, std::string_view expected) const {
  return Error(Code::usage, fmt::format("{}: '{}' is not a value for {}", origin, text, key_))
      .hint(fmt::format("{} takes {}", key_, expected));
}

template <typename Number>
Number SettingField::parse_number(std::string_view text, std::string_view origin, std::string_view kind) const {
  Number number{};
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = status == std::errc() && stop == text.data() + text.size() && !text.empty();
  const auto as_double = static_cast<double>(number);
  if (!whole || !(as_double >= about_.range.min && as_double <= about_.range.max))
    throw wrong_value(text, origin, range_text(about_.range, kind));
  return number;
}

void SettingField::set(std::string_view text, std::string_view origin) const {
  constexpr std::string_view kWhole = "a whole number";
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
  };
  const Match assign{
      [&](bool* flag) {
        const bool yes = is_one_of({"true", "yes", "on", "1"});
        if (!yes && !is_one_of({"false", "no", "off", "0"})) throw wrong_value(text, origin, "true or false");
        *flag = yes;
      },
      [&](int64_t* count) { *count = parse_number<int64_t>(text, origin, kWhole); },
      [&](uint64_t* count) {
        *count = about_.unit == Unit::bytes ? parse_bytes(text, fmt::format("{}: {}", origin, key_))
                                            : parse_number<uint64_t>(text, origin, kWhole);
      },
      // Parsed as a double: as a float, the limit 0.01 itself would be out of range.
      [&](float* number) { *number = static_cast<float>(parse_number<double>(text, origin, "a number")); },
      [&](std::string* value) { *value = text; },
      [&](const Choice& choice) {
        if (std::find(choice.names.begin(), choice.names.end(), text) == choice.names.end())
          throw wrong_value(text, origin, fmt::format("one of {}", fmt::join(choice.names, ", ")));
        choice.set(text);
      }};
  std::visit(assign, value_);
  *origin_ = origin;
}

std::string SettingField::text() const {
  return std::visit(
      Match{[](const Choice& choice) { return choice.get(); }, [](const auto* value) { return setting_text(*value); }},
      value_);
}

std::vector<std::string_view> SettingField::choices() const {
  const Choice* choice = std::get_if<Choice>(&value_);
  return choice ? choice->names : std::vector<std::string_view>();
}

const SettingField* SettingList::find(std::string_view key) const {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const SettingField& f) { return f.key() == key; });
  return found == fields_.end() ? nullptr : &*found;
}

std::vector<std::string> SettingList::texts() const {
  std::vector<std::string> all;
  for (const SettingField& field : fields_) all.push_back(field.text());
  return all;
}

void SettingList::restore(std::span<const std::string> texts) const {
  FRUGAL_CHECK(texts.size() == fields_.size());
  for (size_t i = 0; i < texts.size(); ++i) fields_[i].set(texts[i], "restore");
}

void SettingList::reset() const {
  restore(defaults_);
  for (const SettingField& field : fields_) *field.origin_ = SettingField::kDefault;
}

void SettingList::add(std::string_view key, SettingField::Value value, const About& about) {
  if (!about.is_setting()) return;
  FRUGAL_CHECK(!find(key));
  fields_.emplace_back(std::string(key), std::move(value), about);
}

}  // namespace frugal
