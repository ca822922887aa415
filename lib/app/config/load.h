// From files, assignments and flags to the settings. Later wins: default < user config < project config < environment <
// flag. Strict: a key that does not exist is an error with its file and line and the nearest name, never ignored.
#pragma once

#include <filesystem>
#include <string_view>

#include "app/config/setting_list.h"

namespace frugal {

/// Sets the key to the value that `text` spells. `origin` begins every message: "--set", "frugal.yaml:12".
/// Throws Error(usage) for an unknown key (with the nearest), a group, or a value of the wrong type or out of range.
void set_key(const SettingList& settings, std::string_view key, std::string_view text, std::string_view origin);

/// `key=value`, as --set takes it. Throws Error(usage).
void set_assignment(const SettingList& settings, std::string_view assignment, std::string_view origin = "--set");

/// Overrides `settings` by the keys of YAML text; `origin` names the file in messages.
void apply_yaml(const SettingList& settings, std::string_view yaml, std::string_view origin);
/// Throws Error(io) if the file cannot be read, Error(usage) naming file, line and key.
void apply_file(const SettingList& settings, const std::filesystem::path& file);

/// Overrides `settings` by the user's config, then by `file`, or where that is empty by the project's ./frugal.yaml;
/// those that exist. With neither file it costs two failed open()s.
void load_config(const SettingList& settings, const std::filesystem::path& file = {});

}  // namespace frugal
