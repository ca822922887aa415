// Patterns that keep files out of an index, in the syntax of .gitignore. One list holds the patterns of one file, or of
// the command line, relative to one folder. Matching takes polynomial time in pattern and path: lists are input.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

class IgnoreRules {
 public:
  /// lines: one pattern each; blank lines and comments (#) are no patterns. base: the folder that they are relative to.
  IgnoreRules(const std::filesystem::path& base, std::string_view lines);

  /// True if the last matching pattern ignores `path`, false if it is negated (!), nullopt if no pattern matches.
  /// path: below the base.
  std::optional<bool> ignores(const std::filesystem::path& path, bool is_folder) const;
  bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::vector<std::string> names;  // between slashes; "**": any number of folders
    bool anywhere = false;           // a single name, in any folder below the base
    bool negated = false;
    bool only_folders = false;
  };
  void add(std::string_view line);
  static bool matches(const Pattern& pattern, const std::vector<std::string_view>& names);

  std::string base_;
  std::vector<Pattern> patterns_;
};

/// True if a pattern without slashes (*, ?, [a-z], \x) matches all of `name`. `?` matches one code point.
bool matches_name(std::string_view pattern, std::string_view name);

}  // namespace frugal
