// `mem-profile replay TRACE`: what allocators would have taken for a recorded run.
#pragma once

#include <string>

#include "app/cli/tool.h"

namespace frugal::cli {

class ReplayCommand {
 public:
  /// Declares the subcommand. Borrows `tool`.
  explicit ReplayCommand(Tool& tool);
  bool asked() const { return command_->parsed(); }
  int run() const;

 private:
  Tool& tool_;
  CLI::App* command_;
  std::string trace_;
};

}  // namespace frugal::cli
