// The files that a path stands for: itself, a folder's, a pattern's matches.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace frugal {

struct SourceOptions {
  bool hidden = false;             // files and folders whose name begins with '.'
  std::filesystem::path excluded;  // a folder that is never entered: the index itself
};

struct SourceSink {
  std::function<void(const std::filesystem::path& file, bool named)> file;  // named: given by its own path
  std::function<void(const std::filesystem::path& path, const std::string& reason)> skipped;
};

/// Absolute and without "." and "..", links kept.
std::filesystem::path normal_path(const std::filesystem::path& path);

/// Paths that `argument` names: itself if it exists, else what it matches as a pattern (*, ?, [a-z]); empty for
/// neither.
std::vector<std::filesystem::path> expand_argument(const std::string& argument);

/// Hands on every file at or under `root`, in the order of names. Links are followed, each folder is entered once.
void list_files(const std::filesystem::path& root, const SourceOptions& options, const SourceSink& sink);

}  // namespace frugal
