// Writes configs/default.yaml from the settings (docs/adding.md): every key with its default and its documentation. A
// test compares the file with this text.
#pragma once

#include <string>

#include "app/config/setting_list.h"

namespace frugal {

/// The text of the file: the current values of `settings`, nested by the dots of their keys.
std::string default_yaml(const SettingList& settings);

}  // namespace frugal
