// configs/default.yaml, made from the settings themselves (docs/adding.md): every key with its default and its line of
// documentation.
#pragma once

#include <string>

#include "app/config/setting_list.h"

namespace frugal {

/// The values that `settings` have now, with a group a blank line.
std::string default_yaml(const SettingList& settings);

}  // namespace frugal
