// Secrets that a server asks for: read from a file or the environment, never from a flag, which everybody sees who
// lists processes.
#pragma once

#include <string>

#include "app/wiring/settings.h"

namespace frugal {

/// The content of `file` without white space at its ends; if `file` is empty, the value of `variable`, or nothing. key:
/// the setting that named the file, for messages. Throws Error(bad_input) if the file holds nothing, Error(io).
std::string read_secret(const std::string& file, const char* variable, const char* key);

/// The options of vectors on a server, with its token.
VectorOptions vector_options(const Settings& settings);

}  // namespace frugal
