// From files, assignments and flags to one Config. Later wins: default < user config < project config < environment <
// flag. Strict: a key that does not exist is an error with its file and line and the nearest name, never ignored.
#pragma once

#include <filesystem>
#include <string_view>

#include "app/config/config.h"

namespace frugal {

/// Sets the key to the value that `text` spells. `origin` begins every message: "--set", "frugal.yaml:12".
/// Throws Error(usage) for an unknown key (with the nearest), a group, or a value of the wrong type or out of range.
void set_key(Config& config, std::string_view key, std::string_view text, std::string_view origin);

/// `key=value`, as --set takes it. Throws Error(usage).
void set_assignment(Config& config, std::string_view assignment, std::string_view origin = "--set");

/// Overrides `config` by the keys of YAML text; `origin` names the file in messages.
void apply_yaml(Config& config, std::string_view yaml, std::string_view origin);
/// Throws Error(io) if the file cannot be read, Error(usage) naming file, line and key.
void apply_file(Config& config, const std::filesystem::path& file);

/// `base`, then the user's config, then `file`, or where that is empty the project's ./frugal.yaml; those that exist.
/// With neither file it costs two failed open()s.
Config load_config(const std::filesystem::path& file = {}, const Config& base = {});

}  // namespace frugal
