// Takes the files of a program out of the page cache before it starts, and proves by mincore that they are out.
// Without root: a file that nobody maps can be dropped by anyone who may open it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace frugal {

/// What of the files a run reads was still in the page cache when it began.
struct ColdProof {
  uint64_t dropped_bytes = 0;             // of files that were out of the cache to 99 % or more
  uint64_t still_cached_bytes = 0;        // resident bytes of shared libraries that other processes map
  std::vector<std::string> still_cached;  // their names
};

class ColdDisk {
 public:
  /// `data`: files and folders of files that must be out of the cache, or the disk was not cold. What else the process
  /// `pid` has mapped (shared libraries) is dropped where nobody else maps it.
  ColdDisk(int pid, const std::vector<std::filesystem::path>& data);

  /// Drops them all. Throws Error(bad_input) naming the file of `data` whose pages stay resident.
  ColdProof drop() const;

 private:
  std::vector<std::filesystem::path> data_, libraries_;
};

/// The one that has more left in the cache.
void keep_worst(std::optional<ColdProof>& worst, ColdProof proof);

}  // namespace frugal
