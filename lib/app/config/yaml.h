// Strict reading of YAML: every message has a position, and duplicate keys are errors. Internal to app/config.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <string_view>

#include "app/config/setting_list.h"
#include "base/error.h"

namespace frugal {

/// The root of the text, a mapping, or null for an empty text. Throws Error(usage) with "origin:line:column" for a
/// syntax error, with "origin:line" for a root of another type.
YAML::Node parse_yaml(std::string_view text, std::string_view origin);

/// The position of a node for messages: "origin:line".
std::string yaml_place(std::string_view origin, const YAML::Node& node);
/// Error(usage) with the position of `node` before the message.
Error yaml_error(std::string_view origin, const YAML::Node& node, std::string_view message);

/// Calls visit(key, key node, value node) for every entry of a mapping. Throws Error(usage) for a key that is not a
/// scalar, or that appears twice.
void for_each_entry(std::string_view origin, const YAML::Node& mapping,
                    const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& visit);

/// Overrides `settings` by a mapping of their keys; nested mappings are groups. Throws Error(usage).
void apply_settings(const SettingList& settings, const YAML::Node& mapping, std::string_view origin);

/// The text of a scalar; empty for null. Throws Error(usage) for a list or a mapping.
std::string yaml_text(std::string_view origin, std::string_view key, const YAML::Node& value);

}  // namespace frugal
