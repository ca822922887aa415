// The subcommand `cache` of rag-query: what the cache of answers holds, emptying it, and judging again what it did.
#pragma once

#include <optional>
#include <string>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"

namespace frugal {

class CacheCommand {
 public:
  /// Declares `cache stats`, `cache clear` and `cache audit`.
  explicit CacheCommand(cli::Tool& tool);
  /// Runs the one that was named, after Tool::parse(), and prints its result; nullopt: none was. Returns the exit code.
  /// Throws Error(missing) without a cache folder, Error(verify_failed) if the audit finds an answer that the guard
  /// would refuse now.
  std::optional<int> run(const cli::Tool& tool, const Settings& settings) const;

 private:
  std::string asked_;
};

}  // namespace frugal
