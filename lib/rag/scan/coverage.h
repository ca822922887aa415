// What an index covers: the paths that were added, and what was left out of them. It outlives a run: every store keeps
// it. Only paths and patterns; scan() (sources.h) finds the files.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// How the folder of a root is scanned.
struct RootOptions {
  bool hidden = false;       // include files and folders whose names begin with '.'
  bool ignore_files = true;  // obey .gitignore and .ignore
  bool operator==(const RootOptions&) const = default;
};

struct Coverage {
  using Roots = std::map<std::string, RootOptions>;
  Roots roots;  // absolute paths of files and folders
  std::vector<std::string>
      excludes;                   // patterns in the syntax of .gitignore, relative to each root; the last match wins
  std::set<std::string> removed;  // absolute paths inside roots
  bool operator==(const Coverage&) const = default;

  /// Adds a root. It is no longer removed; removed paths below it stay removed.
  void add(const std::string& path, const RootOptions& options);
  /// Drops the roots at or under `path`, and remembers that it was removed if a root contains it.
  void remove(const std::string& path);
  /// Renames `from`, and every path under it, to `to`.
  void relocate(const std::string& from, const std::string& to);

  std::vector<std::string> roots_under(const std::string& path) const;  // `path` itself included
  std::vector<std::string> roots_above(const std::string& path) const;  // without `path` itself
};

/// The folders that contain `path`, innermost first.
std::vector<std::string> folders_above(const std::string& path);
/// True if `path` is `folder`, or inside it.
bool is_under(std::string_view path, std::string_view folder);
/// `path` under `from` as the same path under `to`; others as they are.
std::string relocated(const std::string& path, const std::string& from, const std::string& to);

}  // namespace frugal
