// The table of laws that questions and documents may name: the project's files (reference_files() of
// app/config/paths.h), then the user's (`references.paths`), which may redefine laws.
#pragma once

#include "app/wiring/settings.h"
#include "rag/law/provision.h"

namespace frugal {

/// Reads all files. Throws Error(usage) or Error(bad_input) naming file and line, Error(io) for a file that cannot be
/// read.
LawTable known_laws(const Settings& settings);

}  // namespace frugal
