#include "rag/filter/path_filter.h"

#include <algorithm>

namespace frugal {
namespace {

std::string rule_of(std::string glob) {
  std::replace(glob.begin(), glob.end(), '\n', '?');  // a rule is a line
  if (glob.starts_with("./")) glob.erase(0, 2);       // as a shell completes a name
  if (glob.starts_with('#')) glob.insert(0, 1, '\\');
  return glob;
}

}  // namespace

PathFilter::PathFilter(std::span<const std::string> globs, const Coverage::Roots& roots) {
  for (const std::string& glob : globs) {
    const std::string rule = rule_of(glob);
    by_default_ &= rule.starts_with('!');
    Glob& bases = globs_.emplace_back();
    if (rule.starts_with('/') || rule.starts_with("!/")) bases.push_back({"/", IgnoreRules("/", rule)});
    for (const auto& [root, options] : roots) {
      const std::string folder = root.substr(0, std::max<size_t>(root.rfind('/') + 1, 1));
      bases.push_back({root, IgnoreRules(root, rule)});
      bases.push_back({root, IgnoreRules(folder, rule)});
    }
    bases.push_back({"", IgnoreRules("/", rule)});
  }
}

/// What the glob says about the file or the innermost of its folders that it matches.
std::optional<bool> PathFilter::verdict(const Glob& glob, const std::string& path) {
  for (const auto& [root, rules] : glob) {
    if (root.empty() == path.starts_with('/') || (!root.empty() && !is_under(path, root))) continue;
    // The name of standard input has no folder.
    const std::string full = root.empty() ? '/' + path : path;
    if (const std::optional<bool> file = rules.ignores(full, false)) return file;
    for (const std::string& folder : folders_above(full))
      if (const std::optional<bool> found = rules.ignores(folder, true)) return found;
  }
  return std::nullopt;
}

bool PathFilter::selects(const std::string& path) const {
  for (auto glob = globs_.rbegin(); glob != globs_.rend(); ++glob)
    if (const std::optional<bool> found = verdict(*glob, path)) return *found;
  return by_default_;
}

}  // namespace frugal
