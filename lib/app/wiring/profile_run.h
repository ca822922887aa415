// A complete run of mem-profile: measures stages or a command, prints the figures, checks limits and draws pictures.
#pragma once

#include <string>
#include <vector>

#include "app/wiring/scenario_profile.h"
#include "measure/profile/memory_alert.h"
#include "measure/profile/memory_timeline.h"

namespace frugal::cli {

struct ProfileRequest {
  bool json = false;  // print a JSON line after each stage; false: a table at the end
  std::string title;  // title of the pictures
  TimelineFiles pictures;
  std::vector<AlertRule> alerts;
  bool estimate = false;  // predict each stage first, and compare
};

/// Measures the stages of `pipeline`. Returns the exit code: 1 if a limit was exceeded. Throws the errors of loading
/// and running models.
int profile_scenario(const Scenario& pipeline, const ProfileOptions& options, const ProfileRequest& request);
/// Measures a command together with its child processes. Returns the command's exit code or, if that is 0, 1 if a limit
/// was exceeded. A command that cannot be started is an error message and, as in a shell, 127 or 126.
int profile_command(const std::vector<std::string>& command, const ProfileRequest& request);

}  // namespace frugal::cli
