// `mem-profile paging` (docs/tools/mem-profile.md): its flags, and the run.
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

/// Adds the subcommand; the flags are filled in by Tool::parse().
CLI::App* declare_paging(Tool& tool, PagingCommand& command);
/// Measures and prints. Returns the exit code: 1 where a run wrote other tokens or held too much. Before this process
/// has a second thread.
int profile_paging(const PagingCommand& command, const Tool& tool, const Settings& settings);

}  // namespace frugal::cli
