// Waits for changes to the files of a coverage, through inotify. It says that something changed, not what: scan() and
// the index find that out.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/file.h"
#include "rag/scan/coverage.h"

namespace frugal {

class Watch {
 public:
  /// Sees every change from here on. index_folder: not watched. Throws Error(io), for example if the system's limit on
  /// watched folders is reached.
  Watch(const Coverage& coverage, const std::filesystem::path& index_folder);

  /// Waits until something changed, and then until nothing did for `quiet`, though not longer than ten times that.
  /// Returns false as soon as `stop` returns true; it is called every 100 ms, and after a signal.
  bool wait(std::chrono::milliseconds quiet, const std::function<bool()>& stop);

 private:
  using Clock = std::chrono::steady_clock;
  /// names: of the entries that matter; empty: all of them.
  void add(const std::filesystem::path& folder, const std::string& name);
  bool read_events();

  FileDescriptor fd_;
  std::map<int, std::set<std::string>> names_;  // by watch descriptor
};

}  // namespace frugal
