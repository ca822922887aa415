// How fast the disk under a file is: what a run that has to read the file can be held to.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/units.h"

namespace frugal {

/// Bytes a second at which the file, at most its first `most_bytes`, is read from its beginning to its end past the
/// page cache (O_DIRECT). nullopt where the file system cannot do that, or the file is shorter than a request.
std::optional<double> sequential_read_rate(const std::filesystem::path& file, uint64_t most_bytes = 256 * kMiB);

}  // namespace frugal
