// The subcommand `mem-profile paging` (docs/tools/mem-profile.md): its flags, the measurement and its output.
#pragma once

#include <string>
#include <vector>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"
#include "measure/profile/paging_ablation.h"

namespace frugal::cli {

struct PagingCommand {
  PagingPlan plan;
  std::string model;
  std::vector<std::string> sources = {"direct", "mapped"}, policies = {"predictive", "lru", "clock"};
};

/// Adds the subcommand. Tool::parse() writes its flags into `command`, which must not move until then.
CLI::App* declare_paging(Tool& tool, PagingCommand& command);
/// Measures and prints the report. Returns the exit code: 1 if a run generated other tokens or exceeded its memory. It
/// forks, so call it while this process has a single thread. Throws Error(usage), Error(missing), Error(over_budget).
int profile_paging(const PagingCommand& command, const Tool& tool, const Settings& settings);

}  // namespace frugal::cli
