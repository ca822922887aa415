#include "rag/scan/coverage.h"

#include <algorithm>

namespace frugal {
namespace {

void erase_under(std::set<std::string>& paths, const std::string& folder) {
  std::erase_if(paths, [&](const std::string& path) { return is_under(path, folder); });
}

}  // namespace

std::vector<std::string> folders_above(const std::string& path) {
  std::vector<std::string> folders;
  for (size_t slash = path.rfind('/'); slash != path.npos && path != "/";) {
    folders.push_back(path.substr(0, std::max<size_t>(slash, 1)));
    slash = slash == 0 ? path.npos : path.rfind('/', slash - 1);
  }
  return folders;
}

bool is_under(std::string_view path, std::string_view folder) {
  if (!path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

std::string relocated(const std::string& path, const std::string& from, const std::string& to) {
  return is_under(path, from) ? to + path.substr(from.size()) : path;
}

void Coverage::add(const std::string& path, const RootOptions& options) {
  roots[path] = options;
  removed.erase(path);
}

void Coverage::remove(const std::string& path) {
  std::erase_if(roots, [&](const auto& root) { return is_under(root.first, path); });
  erase_under(removed, path);
  if (!roots_above(path).empty()) removed.insert(path);
}

void Coverage::relocate(const std::string& from, const std::string& to) {
  Roots moved;
  for (const auto& [path, options] : roots) moved[relocated(path, from, to)] = options;
  roots = std::move(moved);
  std::set<std::string> paths;
  for (const std::string& path : removed) paths.insert(relocated(path, from, to));
  removed = std::move(paths);
}

std::vector<std::string> Coverage::roots_under(const std::string& path) const {
  std::vector<std::string> found;
  if (roots.contains(path)) found.push_back(path);
  const std::string inside = path.ends_with('/') ? path : path + '/';
  for (auto root = roots.upper_bound(inside); root != roots.end() && root->first.starts_with(inside); ++root)
    found.push_back(root->first);
  return found;
}

std::vector<std::string> Coverage::roots_above(const std::string& path) const {
  std::vector<std::string> folders = folders_above(path);
  std::erase_if(folders, [&](const std::string& folder) { return !roots.contains(folder); });
  return folders;
}

}  // namespace frugal
