// Which build this is.
#pragma once

#include <string_view>

namespace frugal {

std::string_view version();  // "0.1.0"
/// Commit the sources were built from, as `git describe --always --dirty` has it; "unknown" outside a clone.
std::string_view commit();

}  // namespace frugal
