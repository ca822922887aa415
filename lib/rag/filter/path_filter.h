// Globs that select files of an index, in the syntax of its exclusions (rag/scan/ignore_rules.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/scan/coverage.h"
#include "rag/scan/ignore_rules.h"

namespace frugal {

class PathFilter {
 public:
  /// Each glob is relative to every root, or begins with the root's own name, or is absolute. One that matches a folder
  /// selects what is in it; `!glob` takes out again; the last that matches wins. If all take out, the rest is selected.
  PathFilter(std::span<const std::string> globs, const Coverage::Roots& roots);

  bool selects(const std::string& path) const;

 private:
  struct Base {
    std::string root;  // only for paths under it
    IgnoreRules rules;
  };
  using Glob = std::vector<Base>;
  static std::optional<bool> verdict(const Glob& glob, const std::string& path);

  std::vector<Glob> globs_;
  bool by_default_ = true;
};

}  // namespace frugal
