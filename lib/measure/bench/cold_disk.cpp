// posix_fadvise(DONTNEED) drops a file's pages unless a process maps them, so eviction is a request and mincore is the
// proof. A file of the caller's data must be out to 99 %; a shared library may stay if other processes map it, and is
// then reported. The libraries come from /proc/PID/maps of a process that has answered a question, and thus has loaded
// everything that the next one will read.
#include "measure/bench/cold_disk.h"

#include <fmt/format.h>

#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "telemetry/page_cache.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

// A file, or every file in a folder.
void add_files(const fs::path& place, std::set<fs::path>& files) {
  if (!fs::is_directory(place)) files.insert(fs::canonical(place));
  std::error_code no_folder;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place, no_folder))
    if (entry.is_regular_file()) files.insert(fs::canonical(entry.path()));
}

// Every regular file that a process has mapped: its executable and libraries, packs and index.
std::set<fs::path> mapped_files(int pid) {
  std::set<fs::path> files;
  std::istringstream maps(read_file(fmt::format("/proc/{}/maps", pid)));
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    std::error_code unreadable;
    if (slash != std::string::npos && fs::is_regular_file(line.substr(slash), unreadable))
      files.insert(line.substr(slash));
  }
  return files;
}

bool is_out(const Residency& residency) {
  return residency.resident_bytes * 100 <= residency.file_bytes;
}

Error stays_resident(const fs::path& file, const std::optional<Residency>& residency) {
  if (!residency)
    return Error(Code::bad_input,
                 fmt::format("the kernel does not report whether '{}' is in the page cache", file.native()))
        .hint("mincore needs ownership of the file or permission to write it: measure a copy of your own");
  return Error(Code::bad_input,
               fmt::format("'{}' stays in the page cache: {} of {} are resident after it was dropped", file.native(),
                           format_bytes(residency->resident_bytes), format_bytes(residency->file_bytes)))
      .hint("another process maps it, or it is in memory (tmpfs): measure a copy on disk, or leave cold-disk out");
}

}  // namespace

ColdDisk::ColdDisk(int pid, const std::vector<fs::path>& data) {
  std::set<fs::path> own;
  for (const fs::path& place : data) add_files(place, own);
  data_.assign(own.begin(), own.end());
  for (const fs::path& file : mapped_files(pid))
    if (own.count(file) == 0) libraries_.push_back(file);
}

ColdProof ColdDisk::drop() const {
  for (const auto* files : {&data_, &libraries_})
    for (const fs::path& file : *files) drop_from_page_cache(file);
  ColdProof proof;
  for (const fs::path& file : data_) {
    const std::optional<Residency> residency = page_cache_residency(file);
    if (!residency || !is_out(*residency)) throw stays_resident(file, residency);
    proof.dropped_bytes += residency->file_bytes;
  }
  for (const fs::path& file : libraries_) {
    const std::optional<Residency> residency = page_cache_residency(file);
    if (residency && is_out(*residency)) {
      proof.dropped_bytes += residency->file_bytes;
    } else {
      proof.still_cached_bytes += residency ? residency->resident_bytes : fs::file_size(file);
      proof.still_cached.push_back(file.filename().native());
    }
  }
  return proof;
}

void keep_worst(std::optional<ColdProof>& worst, ColdProof proof) {
  if (!worst || proof.still_cached_bytes > worst->still_cached_bytes) worst = std::move(proof);
}

}  // namespace frugal
