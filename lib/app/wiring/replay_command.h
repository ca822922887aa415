// The subcommand `mem-profile replay TRACE`: replays the recorded allocations of a run against several allocators
// (measure/profile/allocation_replay.h) and prints the comparison.
#pragma once

#include <string>

#include "app/cli/tool.h"

namespace frugal::cli {

class ReplayCommand {
 public:
  /// Declares the subcommand. Borrows `tool`.
  explicit ReplayCommand(Tool& tool);
  /// True if the command line names this subcommand.
  bool parsed() const { return command_->parsed(); }
  /// Replays and prints; returns exit code 0. Throws Error(bad_input) for a file that is not a trace.
  int run() const;

 private:
  Tool& tool_;
  CLI::App* command_;
  std::string trace_;
};

}  // namespace frugal::cli
