#include "base/folder.h"

#include <system_error>

namespace frugal {

std::vector<std::filesystem::path> folder_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;  // the range of a for loop would throw on the way to the next entry
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end; each.increment(error))
    entries.push_back(each->path());
  return entries;
}

}  // namespace frugal
