// YAML read strictly: positions in every message, duplicate keys refused. For use inside config/ only.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <string_view>

#include "app/config/setting_list.h"
#include "base/error.h"

namespace frugal {

/// A mapping (or null, for an empty file). Throws Error(usage) with "origin:line:column" for a syntax error or another
/// type.
YAML::Node parse_yaml(std::string_view text, std::string_view origin);

/// "origin:line" of a node.
std::string yaml_place(std::string_view origin, const YAML::Node& node);
Error yaml_error(std::string_view origin, const YAML::Node& node, std::string_view message);

/// Calls visit(key, key node, value node) for every entry of a mapping. Throws Error(usage) for keys that are no
/// strings or come twice.
void for_each_entry(std::string_view origin, const YAML::Node& mapping,
                    const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& visit);

/// Overrides `settings` by a mapping of their keys (load.h).
void apply_settings(const SettingList& settings, const YAML::Node& mapping, std::string_view origin);

/// The text of a scalar; empty for null. Throws Error(usage) for a list or a mapping.
std::string yaml_text(std::string_view origin, std::string_view key, const YAML::Node& value);

}  // namespace frugal
