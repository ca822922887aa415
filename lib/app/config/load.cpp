#include "app/config/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/config/paths.h"
#include "app/config/yaml.h"
#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/units.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxConfigBytes = kMiB;

bool in_group(std::string_view key, std::string_view group) {
  return key.size() > group.size() && key.substr(0, group.size()) == group && key[group.size()] == '.';
}

bool is_group(const SettingList& settings, std::string_view key) {
  const auto fields = settings.fields();
  return std::any_of(fields.begin(), fields.end(),
                     [&](const SettingField& field) { return in_group(field.key(), key); });
}

Error unknown_key(const SettingList& settings, std::string_view key, std::string_view origin) {
  std::vector<std::string> names, members;
  for (const SettingField& field : settings.fields()) {
    const std::string& known = field.key();
    names.push_back(known);
    if (in_group(known, key)) members.push_back(known);
    // Groups are candidates, too: a misspelt group such as `retrival:` is found before its members are read.
    for (size_t dot = known.find('.'); dot != std::string::npos; dot = known.find('.', dot + 1))
      names.push_back(known.substr(0, dot));
  }
  if (!members.empty())
    return Error(Code::usage, fmt::format("{}: '{}' is a group of keys and takes no value", origin, key))
        .hint(fmt::format("set one of {}", fmt::join(members, ", ")));
  Error error(Code::usage, fmt::format("{}: unknown key '{}'", origin, key));
  const std::string nearest = nearest_name(key, names);
  return error.hint(nearest.empty() ? "configs/default.yaml lists every key"
                                    : fmt::format("did you mean '{}'?", nearest));
}

void apply_mapping(const SettingList& settings, const YAML::Node& mapping, const std::string& prefix,
                   std::string_view origin) {
  for_each_entry(origin, mapping, [&](const std::string& name, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string key = prefix + name;
    if (const SettingField* field = settings.find(key))
      return field->set(yaml_text(origin, key, value), yaml_place(origin, key_node));
    const bool group = is_group(settings, key);
    if (!group || !(value.IsMap() || value.IsNull())) throw unknown_key(settings, key, yaml_place(origin, key_node));
    apply_mapping(settings, value, key + ".", origin);
  });
}

}  // namespace

void set_key(const SettingList& settings, std::string_view key, std::string_view text, std::string_view origin) {
  const SettingField* field = settings.find(key);
  if (!field) throw unknown_key(settings, key, origin);
  field->set(text, origin);
}

void set_assignment(const SettingList& settings, std::string_view assignment, std::string_view origin) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    throw Error(Code::usage, fmt::format("{}: '{}' is not key=value", origin, assignment))
        .hint("write it like --set retrieval.top_k=5");
  set_key(settings, assignment.substr(0, equals), assignment.substr(equals + 1), origin);
}

void apply_settings(const SettingList& settings, const YAML::Node& mapping, std::string_view origin) {
  apply_mapping(settings, mapping, "", origin);
}

void apply_yaml(const SettingList& settings, std::string_view yaml, std::string_view origin) {
  apply_settings(settings, parse_yaml(yaml, origin), origin);
}

void apply_file(const SettingList& settings, const std::filesystem::path& file) {
  apply_yaml(settings, read_file(file, kMaxConfigBytes), file.native());
}

void load_config(const SettingList& settings, const std::filesystem::path& file) {
  const std::filesystem::path user = config_home() / "config.yaml", project = "frugal.yaml";
  std::error_code unreadable;  // a file in a folder without search permission counts as absent
  if (std::filesystem::exists(user, unreadable)) apply_file(settings, user);
  if (!file.empty()) {
    apply_file(settings, file);
  } else if (std::filesystem::exists(project, unreadable)) {
    apply_file(settings, project);
  }
}

}  // namespace frugal
