// What the machine is like, and the settings that suit it (--profile).
#pragma once

#include <string>

#include "app/config/hardware_profile.h"

namespace frugal::cli {

Machine read_machine();

/// The defaults as the profile `name` overrides them. "auto" reads the machine and says in the log what was chosen and
/// why; where no profile fits, the defaults. Throws Error(usage) that lists the profiles.
Config profile_settings(const std::string& name);

}  // namespace frugal::cli
