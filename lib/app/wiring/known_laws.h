// The laws that the tools know by name: the project's tables, then the user's, who may redefine them.
#pragma once

#include "app/wiring/settings.h"
#include "rag/law/provision.h"

namespace frugal {

/// Throws Error(bad_input | usage) that names file and line.
LawTable known_laws(const Settings& settings);

}  // namespace frugal
