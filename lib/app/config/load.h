// Loads settings from files, assignments and flags. Later wins: default < user's config < project's config <
// environment < --set < flag. An unknown key is an error with file, line and the nearest known name; it is never
// ignored.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "app/config/setting_list.h"

namespace frugal {

/// Sets the key to the value that `text` represents. Every message begins with `origin`: "--set", "frugal.yaml:12".
/// Throws Error(usage) for an unknown key (the hint has the nearest one), a group of keys, or a value of the wrong type
/// or out of range.
void set_key(const SettingList& settings, std::string_view key, std::string_view text, std::string_view origin);

/// Sets a key from `key=value`, the argument of --set. Throws Error(usage).
void set_assignment(const SettingList& settings, std::string_view assignment, std::string_view origin = "--set");

/// Overrides `settings` by the keys of a YAML text. `origin` names the file in messages. Throws Error(usage).
void apply_yaml(const SettingList& settings, std::string_view yaml, std::string_view origin);
/// Overrides `settings` by the keys of a YAML file. Throws Error(io) if it cannot be read, Error(usage) naming file,
/// line and key.
void apply_file(const SettingList& settings, const std::filesystem::path& file);

/// Throws Error(usage), whose message begins with `origin`, if a key that only the user sets (About::user_only) has
/// another value than in `before`, which are earlier texts(), or if a key names a remote service now ("://"): questions
/// and documents would be sent to it.
void refuse_user_only(const SettingList& settings, std::span<const std::string> before, std::string_view origin);

/// Overrides `settings` by the user's config and then by `file`, or by the project's ./frugal.yaml if `file` is empty.
/// The user's and the project's files may be absent; `file` must exist. The project's file is read without being named,
/// so it is left out unless it and the folder belong to this user or to root; the warning that is returned says so, and
/// is empty otherwise. Throws like apply_file(), and Error(usage) for a user_only key in the project's file.
std::string load_config(const SettingList& settings, const std::filesystem::path& file = {});

}  // namespace frugal
