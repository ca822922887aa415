// rag-serve: the server with the settings of the tools.
#pragma once

#include "app/cli/tool.h"
#include "app/wiring/settings.h"

namespace frugal::serve {

/// Serves until the process is told to stop; over_stdio: an assistant on standard input and output, until it ends.
/// Throws Error(usage) for an address that other machines can reach without a key, and what Listeners throws.
void serve(const cli::Tool& tool, const Settings& settings, bool over_stdio);

}  // namespace frugal::serve
