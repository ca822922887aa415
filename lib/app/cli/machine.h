// What the machine is like, and the settings that suit it (--profile).
#pragma once

#include <string>

#include "app/config/hardware_profile.h"

namespace frugal::cli {

Machine read_machine();

/// Overrides `settings` by the profile `name`. "auto" reads the machine and says in the log what was chosen and why;
/// where no profile fits, nothing changes. Throws Error(usage) that lists the profiles.
void apply_named_profile(const SettingList& settings, const std::string& name);

}  // namespace frugal::cli
