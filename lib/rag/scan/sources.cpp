// Every root is walked for itself, so an index holds the union of its roots, whichever of them a run is about. A run
// about a path inside a root walks down to that path only, past the ignore files on the way.
#include "rag/scan/sources.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "rag/scan/ignore_rules.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxIgnoreFileBytes = 1 << 20;

bool is_gone(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

bool is_folder(const fs::path& path) {
  std::error_code unreadable;
  return fs::is_directory(path, unreadable);
}

class Walk {
 public:
  Walk(const Coverage& coverage, const std::string& root, const fs::path& index_folder, const SourceSink& sink)
      : root_(root),
        options_(coverage.roots.at(root)),
        removed_(coverage.removed),
        index_folder_(index_folder),
        sink_(sink) {
    std::string lines;
    for (const std::string& pattern : coverage.excludes) lines += pattern + "\n";
    excludes_.emplace(root_, lines);
  }

  /// All of the root.
  void run() {
    struct stat info {};
    if (!find_root(info)) return;
    if (S_ISREG(info.st_mode)) return sink_.file(root_, true);
    if (!S_ISDIR(info.st_mode)) return sink_.skipped(root_, "neither a file nor a folder");
    read_rules_above();
    enter(root_, info);
  }

  /// What the walk over the root would find at or under `path`, which is inside of it.
  void run_within(const fs::path& path) {
    struct stat info {};
    if (!find_root(info) || !S_ISDIR(info.st_mode)) return;
    read_rules_above();
    fs::path at = root_;
    for (const fs::path& name : path.lexically_relative(root_)) {
      read_rules_of(at);
      at /= name;
      if (at == path) return visit(at);
      if (is_hidden(at) || is_gone(at) || !is_wanted(at, true)) return;
      if (!is_folder(at)) return sink_.unreachable(at, "not a folder that can be entered");
    }
  }

 private:
  bool find_root(struct stat& info) {
    if (::stat(root_.c_str(), &info) != 0) {
      sink_.unreachable(root_, std::strerror(errno));
      return false;
    }
    std::error_code unreadable;
    if (S_ISDIR(info.st_mode) && fs::is_empty(root_, unreadable) && !unreadable) sink_.empty_root(root_);
    return true;
  }

  bool is_hidden(const fs::path& path) const { return !options_.hidden && path.filename().native().starts_with('.'); }

  void visit(const fs::path& path) {
    if (is_hidden(path)) return;
    struct stat info {};
    const bool found = ::stat(path.c_str(), &info) == 0;
    const int why = errno;
    if (!found && is_gone(path)) return;  // it vanished since the folder was listed
    if (!is_wanted(path, found && S_ISDIR(info.st_mode))) return sink_.excluded(path);
    if (!found) return sink_.unreachable(path, std::strerror(why));
    if (S_ISREG(info.st_mode)) return sink_.file(path, false);
    if (S_ISDIR(info.st_mode)) enter(path, info);
  }

  void enter(const fs::path& folder, const struct stat& info) {
    // A link may lead back up, so visited folders are identified by device and inode, not by path.
    if (folder == index_folder_ || !entered_.insert({info.st_dev, info.st_ino}).second) return;
    if (sink_.folder) sink_.folder(folder);
    std::error_code error;
    std::vector<fs::path> entries;
    for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error))
      entries.push_back(each->path());
    if (error) return sink_.unreachable(folder, error.message());
    std::sort(entries.begin(), entries.end());
    const size_t rules_outside = rules_.size();
    read_rules_of(folder);
    for (const fs::path& entry : entries) visit(entry);
    rules_.erase(rules_.begin() + static_cast<ptrdiff_t>(rules_outside), rules_.end());
  }

  /// The rules on the command line go first, then those of the innermost folder.
  bool is_wanted(const fs::path& path, bool is_folder) const {
    if (removed_.contains(path.native())) return false;
    if (const auto ignored = excludes_->ignores(path, is_folder)) return !*ignored;
    if (options_.ignore_files && path.filename() == ".git") return false;
    for (auto rules = rules_.rbegin(); rules != rules_.rend(); ++rules)
      if (const auto ignored = rules->ignores(path, is_folder)) return !*ignored;
    return true;
  }

  /// Inside a Git repository, the ignore files of the folders that the root is in.
  void read_rules_above() {
    std::vector<fs::path> folders;
    for (fs::path at = root_; is_gone(at / ".git"); at = folders.back()) {
      if (at == at.root_path()) return;
      folders.push_back(at.parent_path());
    }
    for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) read_rules_of(*folder);
  }

  void read_rules_of(const fs::path& folder) {
    if (!options_.ignore_files) return;
    for (const char* name : {".gitignore", ".ignore"}) {
      const fs::path file = folder / name;
      std::error_code unreadable;
      if (!fs::is_regular_file(file, unreadable)) continue;
      try {
        rules_.emplace_back(folder, read_file(file, kMaxIgnoreFileBytes));
      } catch (const Error& error) {
        sink_.skipped(file, "its patterns do not apply: " + error.message());
      }
    }
  }

  const fs::path root_;
  const RootOptions options_;
  const std::set<std::string>& removed_;
  const fs::path& index_folder_;
  const SourceSink& sink_;
  std::optional<IgnoreRules> excludes_;
  std::vector<IgnoreRules> rules_;  // of the folders that the walk is in, outermost first
  std::set<std::pair<dev_t, ino_t>> entered_;
};

}  // namespace

fs::path normal_path(const fs::path& path) {
  fs::path normal = fs::absolute(path).lexically_normal();
  if (!normal.has_filename() && normal.has_relative_path()) normal = normal.parent_path();  // "docs/" → "docs"
  return normal;
}

std::vector<fs::path> expand_argument(const std::string& argument) {
  struct stat info {};
  if (::lstat(argument.c_str(), &info) == 0) return {normal_path(argument)};
  std::vector<fs::path> paths;
  glob_t found{};
  if (argument.find_first_of("*?[") != std::string::npos && ::glob(argument.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.push_back(normal_path(found.gl_pathv[i]));
  ::globfree(&found);
  return paths;
}

void scan(const Coverage& coverage, const fs::path& path, const fs::path& index_folder, const SourceSink& sink) {
  const std::vector<std::string> inside = coverage.roots_under(path.native());
  // A file that is a root belongs to the index whatever the roots above it say.
  const bool is_named_file = coverage.roots.contains(path.native()) && !is_gone(path) && !is_folder(path);
  const std::vector<std::string> above =
      is_named_file ? std::vector<std::string>() : coverage.roots_above(path.native());
  SourceSink once = sink;
  std::set<fs::path> seen;
  if (inside.size() + above.size() > 1)
    once.file = [&](const fs::path& file, bool named) {
      if (seen.insert(file).second) sink.file(file, named);
    };
  // Inner roots go first, so that a named file is met as such.
  for (auto root = inside.rbegin(); root != inside.rend(); ++root) Walk(coverage, *root, index_folder, once).run();
  for (const std::string& root : above) Walk(coverage, root, index_folder, once).run_within(path);
}

}  // namespace frugal
