#include "app/config/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "app/config/paths.h"
#include "app/config/yaml.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/units.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxConfigBytes = kMiB;

Error wrong_value(const ConfigField& field, std::string_view text, std::string_view origin, std::string_view expected) {
  return Error(Code::usage, fmt::format("{}: '{}' is no value for {}", origin, text, field.key))
      .hint(fmt::format("{} takes {}", field.key, expected));
}

std::string range_text(const ConfigField& field, std::string_view kind) {
  if (std::isinf(field.max)) return fmt::format("{}, at least {}", kind, field.min);
  return fmt::format("{} from {} to {}", kind, field.min, field.max);
}

bool parse_bool(const ConfigField& field, std::string_view text, std::string_view origin) {
  for (std::string_view yes : {"true", "yes", "on", "1"})
    if (text == yes) return true;
  for (std::string_view no : {"false", "no", "off", "0"})
    if (text == no) return false;
  throw wrong_value(field, text, origin, "true or false");
}

template <typename Number>
Number parse_number(const ConfigField& field, std::string_view text, std::string_view origin) {
  Number number{};
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = status == std::errc() && stop == text.data() + text.size() && !text.empty();
  const double as_double = static_cast<double>(number);
  if (!whole || !(as_double >= field.min && as_double <= field.max))
    throw wrong_value(field, text, origin,
                      range_text(field, std::is_integral_v<Number> ? "a whole number" : "a number"));
  return number;
}

std::string parse_string(const ConfigField& field, std::string_view text, std::string_view origin) {
  const bool allowed = std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end();
  if (!field.choices.empty() && !allowed)
    throw wrong_value(field, text, origin, fmt::format("one of {}", fmt::join(field.choices, ", ")));
  return std::string(text);
}

void assign(const ConfigField& field, std::string_view text, std::string_view origin) {
  if (bool* const* flag = std::get_if<bool*>(&field.value)) **flag = parse_bool(field, text, origin);
  if (int64_t* const* count = std::get_if<int64_t*>(&field.value)) **count = parse_number<int64_t>(field, text, origin);
  if (double* const* number = std::get_if<double*>(&field.value)) **number = parse_number<double>(field, text, origin);
  if (uint64_t* const* bytes = std::get_if<uint64_t*>(&field.value))
    **bytes = parse_bytes(text, fmt::format("{}: {}", origin, field.key));
  if (std::string* const* value = std::get_if<std::string*>(&field.value)) **value = parse_string(field, text, origin);
}

bool in_group(std::string_view key, std::string_view group) {
  return key.size() > group.size() && key.substr(0, group.size()) == group && key[group.size()] == '.';
}

bool is_group(std::span<const ConfigField> fields, std::string_view key) {
  return std::any_of(fields.begin(), fields.end(), [&](const ConfigField& field) { return in_group(field.key, key); });
}

const ConfigField* find_field(std::span<const ConfigField> fields, std::string_view key) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const ConfigField& f) { return f.key == key; });
  return found == fields.end() ? nullptr : &*found;
}

Error unknown_key(std::span<const ConfigField> fields, std::string_view key, std::string_view origin) {
  std::vector<std::string> names, members;
  for (const ConfigField& field : fields) {
    names.emplace_back(field.key);
    if (in_group(field.key, key)) members.emplace_back(field.key);
    // Groups are candidates too: `retrival:` in a file is misspelt before any of its members is read.
    for (size_t dot = field.key.find('.'); dot != std::string_view::npos; dot = field.key.find('.', dot + 1))
      names.emplace_back(field.key.substr(0, dot));
  }
  if (!members.empty())
    return Error(Code::usage, fmt::format("{}: '{}' is a group of keys and takes no value", origin, key))
        .hint(fmt::format("set one of {}", fmt::join(members, ", ")));
  Error error(Code::usage, fmt::format("{}: unknown key '{}'", origin, key));
  const std::string nearest = nearest_name(key, names);
  return error.hint(nearest.empty() ? "configs/default.yaml lists every key"
                                    : fmt::format("did you mean '{}'?", nearest));
}

void apply_mapping(std::span<const ConfigField> fields, const YAML::Node& mapping, const std::string& prefix,
                   std::string_view origin) {
  for_each_entry(origin, mapping, [&](const std::string& name, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string key = prefix + name;
    if (const ConfigField* field = find_field(fields, key))
      return assign(*field, yaml_text(origin, key, value), yaml_place(origin, key_node));
    const bool group = is_group(fields, key);
    if (!group || !(value.IsMap() || value.IsNull())) throw unknown_key(fields, key, yaml_place(origin, key_node));
    apply_mapping(fields, value, key + ".", origin);
  });
}

}  // namespace

void set_key(Config& config, std::string_view key, std::string_view text, std::string_view origin) {
  const std::vector<ConfigField> fields = config_fields(config);
  const ConfigField* field = find_field(fields, key);
  if (!field) throw unknown_key(fields, key, origin);
  assign(*field, text, origin);
}

void set_assignment(Config& config, std::string_view assignment, std::string_view origin) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    throw Error(Code::usage, fmt::format("{}: '{}' is not key=value", origin, assignment))
        .hint("write it like --set retrieval.top_k=5");
  set_key(config, assignment.substr(0, equals), assignment.substr(equals + 1), origin);
}

void apply_settings(Config& config, const YAML::Node& mapping, std::string_view origin) {
  apply_mapping(config_fields(config), mapping, "", origin);
}

void apply_yaml(Config& config, std::string_view yaml, std::string_view origin) {
  apply_settings(config, parse_yaml(yaml, origin), origin);
}

void apply_file(Config& config, const std::filesystem::path& file) {
  apply_yaml(config, read_file(file, kMaxConfigBytes), file.native());
}

Config load_config(const std::filesystem::path& file, const Config& base) {
  Config config = base;
  const std::filesystem::path user = config_home() / "config.yaml", project = "frugal.yaml";
  std::error_code unreadable;  // a folder that may not be searched holds no config for us
  if (std::filesystem::exists(user, unreadable)) apply_file(config, user);
  if (!file.empty()) {
    apply_file(config, file);
  } else if (std::filesystem::exists(project, unreadable)) {
    apply_file(config, project);
  }
  return config;
}

}  // namespace frugal
