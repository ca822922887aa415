// A whole run of mem-profile: stages or a command measured, printed, held to limits and drawn.
#pragma once

#include <string>
#include <vector>

#include "app/wiring/scenario_profile.h"
#include "measure/profile/memory_alert.h"
#include "measure/profile/memory_timeline.h"

namespace frugal::cli {

struct ProfileRequest {
  bool json = false;  // lines as stages end, else a table at the end
  std::string title;  // of the pictures
  TimelineFiles pictures;
  std::vector<AlertRule> alerts;
  bool estimate = false;
};

/// Prints to standard output. Returns the exit code: 1 if a limit was passed. Throws what loading and running throw.
int profile_scenario(const Scenario& pipeline, const ProfileOptions& options, const ProfileRequest& asked);
/// The same of a command with its children; its own exit code where that is not 0.
int profile_command(const std::vector<std::string>& command, const ProfileRequest& asked);

}  // namespace frugal::cli
