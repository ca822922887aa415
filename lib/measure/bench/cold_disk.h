// Evicts the files of a program from the page cache before it starts, and proves with mincore that they are gone. Needs
// no root: any user who may open a file can drop its pages, provided that no process maps it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace frugal {

/// The files of a run that were evicted, and those that stayed in the page cache.
struct ColdProof {
  uint64_t dropped_bytes = 0;             // size of the files of which at least 99 % was evicted
  uint64_t still_cached_bytes = 0;        // resident bytes of shared libraries mapped by other processes
  std::vector<std::string> still_cached;  // their names
};

class ColdDisk {
 public:
  /// `data`: files, and folders of files, that must be evicted for the disk to count as cold. Other files that process
  /// `pid` maps (shared libraries) are evicted unless another process maps them too.
  ColdDisk(int pid, const std::vector<std::filesystem::path>& data);

  /// Evicts all of them. Throws Error(bad_input) naming the file of `data` whose pages stay resident.
  ColdProof drop() const;

 private:
  std::vector<std::filesystem::path> data_, libraries_;
};

/// Keeps in `worst` the proof with more bytes still cached.
void keep_worst(std::optional<ColdProof>& worst, ColdProof proof);

}  // namespace frugal
