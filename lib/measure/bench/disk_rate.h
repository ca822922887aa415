// The sequential read rate of the disk under a file: the bound of a run that must read the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/units.h"

namespace frugal {

/// Bytes per second of reading the file in order, at most its first `most_bytes`, past the page cache (O_DIRECT).
/// nullopt where the file system has no O_DIRECT, or the file is shorter than one request.
std::optional<double> sequential_read_rate(const std::filesystem::path& file, uint64_t most_bytes = 256 * kMiB);

}  // namespace frugal
