// What the user hands to a tool on standard input or in a file named on the command line.
#pragma once

#include <cstddef>
#include <functional>
#include <istream>
#include <string>

namespace frugal::cli {

/// Standard input, at most one byte more than `limit`. Throws Error(io).
std::string read_standard_input(size_t limit);

/// Calls `read` with a stream of `file`, or of standard input if that is `-`. Throws Error(io) if it cannot be opened
/// or read, Error(bad_input) for a folder.
void read_input(const std::string& file, const std::function<void(std::istream& input)>& read);

}  // namespace frugal::cli
