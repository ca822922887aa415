#include "app/config/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

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

// The value of a key. A list of models may be a list of YAML, too: it is the text with commas.
std::string value_text(std::string_view origin, const std::string& key, const YAML::Node& value) {
  if (!value.IsSequence() || !key.starts_with("models.")) return yaml_text(origin, key, value);
  std::string text;
  for (const YAML::Node& each : value) text += (text.empty() ? "" : ", ") + yaml_text(origin, key, each);
  return text;
}

void apply_mapping(const SettingList& settings, const YAML::Node& mapping, const std::string& prefix,
                   std::string_view origin) {
  for_each_entry(origin, mapping, [&](const std::string& name, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string key = prefix + name;
    if (const SettingField* field = settings.find(key))
      return field->set(value_text(origin, key, value), yaml_place(origin, key_node));
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

void refuse_user_only(const SettingList& settings, std::span<const std::string> before, std::string_view origin) {
  const std::vector<std::string> now = settings.texts();
  for (size_t i = 0; i < now.size(); ++i)
    if (settings.fields()[i].is_user_only() && now[i] != before[i])
      throw Error(Code::usage, fmt::format("{}: '{}' is the user's to set and is not taken from here", origin,
                                           settings.fields()[i].key()))
          .hint("set it by a flag, in your own configuration, or in a file that --config names");
  // Questions and documents are sent to the service that a setting names.
  for (size_t i = 0; i < now.size(); ++i)
    if (now[i] != before[i] && now[i].find("://") != std::string::npos)
      throw Error(Code::usage, fmt::format("{}: '{}' names a remote service and is not taken from here", origin,
                                           settings.fields()[i].key()))
          .hint("set it by a flag, in your own configuration, or in a file that --config names");
}

namespace {

const std::filesystem::path kProjectFile = "frugal.yaml";

bool is_trusted(const struct stat& info) {
  return info.st_uid == ::geteuid() || info.st_uid == 0;
}

// The folder and the link count as well: their owner decides which file is found.
bool is_own_project() {
  struct stat folder {
  }, link{}, file{};
  return ::stat(".", &folder) == 0 && ::lstat(kProjectFile.c_str(), &link) == 0 &&
         ::stat(kProjectFile.c_str(), &file) == 0 && is_trusted(folder) && is_trusted(link) && is_trusted(file);
}

// Returns the warning, if it was not read.
std::string apply_project_file(const SettingList& settings) {
  std::error_code unreadable;
  if (!std::filesystem::exists(kProjectFile, unreadable)) return {};
  if (!is_own_project())
    return fmt::format("'{0}' was not read: it, or this folder, belongs to another user; read it with --config {0}",
                       kProjectFile.native());
  if (!std::filesystem::is_regular_file(kProjectFile, unreadable))
    throw Error(Code::bad_input, fmt::format("'{}' is not a regular file", kProjectFile.native()));
  const std::vector<std::string> before = settings.texts();
  apply_file(settings, kProjectFile);
  refuse_user_only(settings, before, kProjectFile.native());
  return {};
}

}  // namespace

std::string load_config(const SettingList& settings, const std::filesystem::path& file) {
  std::error_code unreadable;  // a folder that may not be searched holds no config for us
  if (const std::optional<std::filesystem::path> home = config_home())
    if (std::filesystem::exists(*home / "config.yaml", unreadable)) apply_file(settings, *home / "config.yaml");
  if (file.empty()) return apply_project_file(settings);
  apply_file(settings, file);
  return {};
}

}  // namespace frugal
