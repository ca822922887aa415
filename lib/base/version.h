// The version and commit of this build.
#pragma once

#include <string_view>

namespace frugal {

std::string_view version();  // "0.1.0"
/// Commit of the sources, as `git describe --always --dirty` prints it; "unknown" outside a clone.
std::string_view commit();

}  // namespace frugal
