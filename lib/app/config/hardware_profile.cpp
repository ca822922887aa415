#include "app/config/hardware_profile.h"

#include <fmt/format.h>

#include <charconv>

#include "app/config/load.h"
#include "app/config/paths.h"
#include "app/config/yaml.h"
#include "base/error.h"
#include "base/file.h"
#include "base/units.h"

namespace frugal {
namespace {

bool parse_needed(std::string_view origin, const YAML::Node& node, std::string_view key, const std::string& text) {
  if (text == "needed") return true;
  if (text == "any") return false;
  throw yaml_error(origin, node, fmt::format("{} is 'needed' or 'any', not '{}'", key, text));
}

int64_t parse_count(std::string_view origin, const YAML::Node& node, const std::string& text) {
  int64_t count = 0;
  const auto [stop, status] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (status != std::errc() || stop != text.data() + text.size() || count < 1)
    throw yaml_error(origin, node, fmt::format("'{}' is not a number of processors", text));
  return count;
}

void read_conditions(HardwareProfile& profile, std::string_view origin, const YAML::Node& mapping) {
  for_each_entry(origin, mapping, [&](const std::string& key, const YAML::Node& key_node, const YAML::Node& value) {
    const std::string text = yaml_text(origin, key, value);
    const std::string place = yaml_place(origin, key_node);
    if (key == "description")
      profile.description = text;
    else if (key == "memory_at_least")
      profile.memory_at_least = parse_bytes(text, place);
    else if (key == "memory_below")
      profile.memory_below = parse_bytes(text, place);
    else if (key == "processors_at_most")
      profile.processors_at_most = parse_count(origin, value, text);
    else if (key == "gpu")
      profile.needs_gpu = parse_needed(origin, value, key, text);
    else if (key == "ci")
      profile.needs_ci = parse_needed(origin, value, key, text);
    else if (key == "architecture")
      profile.architecture = text;
    else
      throw yaml_error(origin, key_node, fmt::format("unknown key 'machine.{}'", key))
          .hint("configs/profiles/README.md lists the conditions");
  });
}

// Reads both parts of the file: `machine`, the conditions, and `settings`, which have the form of a configuration.
void read_profile(const std::filesystem::path& file, HardwareProfile& profile, const SettingList& settings) {
  const std::string& origin = file.native();
  for_each_entry(origin, parse_yaml(read_file(file, kMiB), origin),
                 [&](const std::string& key, const YAML::Node& key_node, const YAML::Node& value) {
                   if (key == "machine")
                     read_conditions(profile, origin, value);
                   else if (key == "settings")
                     apply_settings(settings, value, origin);
                   else
                     throw yaml_error(origin, key_node, fmt::format("unknown key '{}'", key))
                         .hint("a profile holds `machine` and `settings`");
                 });
}

bool meets(const HardwareProfile& profile, const Machine& machine) {
  return machine.memory_bytes >= profile.memory_at_least && machine.memory_bytes < profile.memory_below &&
         machine.processors <= profile.processors_at_most && (machine.gpu || !profile.needs_gpu) &&
         (machine.ci || !profile.needs_ci) &&
         (profile.architecture.empty() || profile.architecture == machine.architecture);
}

int count_conditions(const HardwareProfile& profile) {
  const HardwareProfile none;
  return int(profile.memory_at_least != none.memory_at_least) + int(profile.memory_below != none.memory_below) +
         int(profile.processors_at_most != none.processors_at_most) + int(profile.needs_gpu) + int(profile.needs_ci) +
         int(!profile.architecture.empty());
}

}  // namespace

std::string describe(const Machine& machine) {
  return fmt::format("{} of memory, {} processor{}, {}, {}{}", format_bytes(machine.memory_bytes), machine.processors,
                     machine.processors == 1 ? "" : "s", machine.gpu ? "a GPU" : "no GPU", machine.architecture,
                     machine.ci ? ", in CI" : "");
}

HardwareProfile read_hardware_profile(const std::filesystem::path& file, const SettingList& settings) {
  HardwareProfile profile;
  profile.name = file.stem();
  profile.file = file;
  const std::vector<std::string> before = settings.texts();
  try {
    read_profile(file, profile, settings);
  } catch (const Error&) {
    settings.restore(before);
    throw;
  }
  settings.restore(before);
  return profile;
}

std::vector<HardwareProfile> hardware_profiles(const SettingList& settings) {
  std::vector<HardwareProfile> profiles;
  for (const std::filesystem::path& file : hardware_profile_files())
    profiles.push_back(read_hardware_profile(file, settings));
  return profiles;
}

const HardwareProfile* choose_profile(std::span<const HardwareProfile> profiles, const Machine& machine) {
  const HardwareProfile* best = nullptr;
  int most = 0;
  for (const HardwareProfile& profile : profiles)
    if (const int count = count_conditions(profile); count > most && meets(profile, machine)) {
      best = &profile;
      most = count;
    }
  return best;
}

void apply_profile(const SettingList& settings, const std::filesystem::path& file) {
  HardwareProfile profile;
  const std::vector<std::string> before = settings.texts();
  read_profile(file, profile, settings);
  refuse_user_only(settings, before, file.native());
}

}  // namespace frugal
