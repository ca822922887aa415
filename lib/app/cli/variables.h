// The environment variables of the tools: one for each long flag, FRUGAL_TOP_K for --top-k, and some that have no flag.
// A variable is often set for several tools, so each tool knows the flags of all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal::cli {

/// The variable of a long flag, given without its dashes: "top-k" → "FRUGAL_TOP_K".
std::string environment_name(std::string_view flag);

/// A line for each variable that is set, begins with FRUGAL_ and is not one of any tool's, with the nearest known name.
std::vector<std::string> unknown_variables(const char* const* environment);

}  // namespace frugal::cli
