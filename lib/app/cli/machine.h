// Reads the properties of this machine and applies the hardware profile that --profile selects. The choice among the
// profiles is in app/config/hardware_profile.h.
#pragma once

#include <string>

#include "app/config/hardware_profile.h"

namespace frugal::cli {

/// This machine, with the limits that a cgroup and the CPU affinity set for this process.
Machine read_machine();

/// Overrides `settings` by the profile `name`: a name in configs/profiles, a file, or "auto". "auto" chooses the
/// profile for this machine, prints the choice with its reason on standard error, and changes nothing if no profile
/// fits. Throws Error(usage) with the known names for an unknown one.
void apply_named_profile(const SettingList& settings, const std::string& name);

}  // namespace frugal::cli
