#include "rag/extract/sources.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace frugal {
namespace {

namespace fs = std::filesystem;

class Walk {
 public:
  Walk(const SourceOptions& options, const SourceSink& sink) : options_(options), sink_(sink) {}

  void visit(const fs::path& path, bool named) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return sink_.skipped(path, std::strerror(errno));
    if (S_ISREG(info.st_mode)) return sink_.file(path, named);
    if (!S_ISDIR(info.st_mode)) {
      if (named) sink_.skipped(path, "neither a file nor a folder");
      return;
    }
    if (path == options_.excluded) return;
    // A link may lead back up, so visited folders are identified by device and inode, not by path.
    if (entered_.insert({info.st_dev, info.st_ino}).second) enter(path);
  }

 private:
  void enter(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> entries;
    for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error))
      entries.push_back(each->path());
    if (error) sink_.skipped(folder, error.message());
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
      const bool hidden = entry.filename().native().starts_with('.');
      if (!hidden || options_.hidden) visit(entry, false);
    }
  }

  const SourceOptions& options_;
  const SourceSink& sink_;
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

void list_files(const fs::path& root, const SourceOptions& options, const SourceSink& sink) {
  Walk(options, sink).visit(root, true);
}

}  // namespace frugal
