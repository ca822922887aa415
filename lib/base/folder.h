// What a folder holds, listed without exceptions: a caller that looks for something does not fail because a folder is
// gone, may not be read, or ends in an error halfway.
#pragma once

#include <filesystem>
#include <vector>

namespace frugal {

/// The paths of the entries of `folder`, each beginning with it, in no order; those before the first error.
std::vector<std::filesystem::path> folder_entries(const std::filesystem::path& folder);

}  // namespace frugal
