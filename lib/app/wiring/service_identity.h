// How rag-query and rag-serve find each other: the place of the Unix socket, and the text that two processes must agree
// on for their answers to be the same.
#pragma once

#include <filesystem>
#include <string>

#include "app/wiring/settings.h"

namespace frugal {

/// $XDG_RUNTIME_DIR/frugal/serve.socket, else serve.socket in cache_home(); empty: there is no such folder.
std::filesystem::path default_service_socket();

/// SHA-256 of what answers depend on besides the question, PipelineOptions and the content of the index: version and
/// commit, the folder of the index, the packs, the backend and the instruction set, the settings of generator and
/// cache. Opens nothing. Throws Error(missing) if there is no index.
std::string service_identity(const cli::Tool& tool, const Settings& settings);

}  // namespace frugal
