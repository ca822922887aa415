// Finds the files that an index covers: those of its coverage (coverage.h) at or under a path. Folders are scanned
// without hidden files and without what their .gitignore and .ignore leave out; a file that is a root itself always
// belongs to the index.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "rag/scan/coverage.h"

namespace frugal {

struct SourceSink {
  /// Each file once. named: it is a root itself.
  std::function<void(const std::filesystem::path& file, bool named)> file;
  /// A path that is there and cannot be a source.
  std::function<void(const std::filesystem::path& path, const std::string& reason)> skipped;
  /// A path whose files cannot be told now: a root that is away, a folder that cannot be listed, a link to nothing.
  std::function<void(const std::filesystem::path& path, const std::string& reason)> unreachable;
  /// A root that is a folder without any entry, as a drive that is not mounted is.
  std::function<void(const std::filesystem::path& root)> empty_root;
  /// A file or folder that was left out, by a pattern or because it was removed.
  std::function<void(const std::filesystem::path& path)> excluded;
  /// A folder, before its files; may be empty.
  std::function<void(const std::filesystem::path& folder)> folder;
};

/// `path` made absolute, without "." and ".."; links are kept.
std::filesystem::path normal_path(const std::filesystem::path& path);

/// The path `argument` if it exists, else the matches of `argument` as a pattern (*, ?, [a-z]); empty if there are
/// none.
std::vector<std::filesystem::path> expand_argument(const std::string& argument);

/// Passes every file of the coverage at or under `path` to `sink`, a folder's sorted by name. Links are followed; each
/// folder is entered once for each root. index_folder: never entered.
void scan(const Coverage& coverage, const std::filesystem::path& path, const std::filesystem::path& index_folder,
          const SourceSink& sink);

}  // namespace frugal
