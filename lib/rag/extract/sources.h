// Finds the input files of an argument: a file, the files of a folder, or the matches of a pattern.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace frugal {

struct SourceOptions {
  bool hidden = false;             // include files and folders whose name begins with '.'
  std::filesystem::path excluded;  // a folder that is never entered: the index itself
};

struct SourceSink {
  std::function<void(const std::filesystem::path& file, bool named)> file;  // named: given by its own path
  std::function<void(const std::filesystem::path& path, const std::string& reason)> skipped;
};

/// `path` made absolute, without "." and ".."; links are kept.
std::filesystem::path normal_path(const std::filesystem::path& path);

/// The path `argument` if it exists, else the matches of `argument` as a pattern (*, ?, [a-z]); empty if there are
/// none.
std::vector<std::filesystem::path> expand_argument(const std::string& argument);

/// Passes every file at or under `root` to `sink`, sorted by name. Links are followed; each folder is entered once.
void list_files(const std::filesystem::path& root, const SourceOptions& options, const SourceSink& sink);

}  // namespace frugal
