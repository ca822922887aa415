#include "base/plugin_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> plugin_folders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("FRUGAL_PLUGINS"); named && *named) {
    folders.emplace_back(named);
    if (folders.back().is_relative())  // the current folder may be another's, and a plugin is code
      throw Error(Code::usage, fmt::format("FRUGAL_PLUGINS: '{}' is not an absolute path", named))
          .hint("name the folder by its whole path");
  }
  std::error_code unreadable;
  const fs::path beside = fs::read_symlink("/proc/self/exe", unreadable).parent_path();
  if (!unreadable) {
    folders.push_back((beside / "../plugins").lexically_normal());
    folders.push_back((beside / "../lib/frugal").lexically_normal());
  }
  return folders;
}

}  // namespace

fs::path find_plugin(const std::string& name, const std::string& hint) {
  std::string searched;
  for (const fs::path& folder : plugin_folders()) {
    fs::path file = folder / fmt::format("frugal_{}.so", name);
    std::error_code ignored;
    if (fs::exists(file, ignored)) return file;
    searched += fmt::format("{}{}", searched.empty() ? "" : ", ", folder.native());
  }
  throw Error(Code::missing, fmt::format("no plugin '{}' (searched {})", name, searched)).hint(hint);
}

void PluginLibrary::Close::operator()(void* handle) const {
  ::dlclose(handle);
}

PluginLibrary::PluginLibrary(const fs::path& file, const char* entry, const std::string& hint)
    : handle_(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_)
    throw Error(Code::missing, fmt::format("the plugin cannot be loaded: {}", ::dlerror()))
        .hint(fmt::format("install the library that the message names, or build the plugin for the installed one: {}",
                          hint));
  entry_ = ::dlsym(handle_.get(), entry);
  if (!entry_)
    throw Error(Code::mismatch, fmt::format("{}: not a plugin of frugal: it lacks {}", file.native(), entry))
        .hint("set FRUGAL_PLUGINS to the folder of frugal's own plugins");
}

void PluginLibrary::require_abi(const fs::path& file, uint32_t found, uint32_t expected) {
  if (found == expected) return;
  throw Error(Code::mismatch,
              fmt::format("{}: the plugin was built for another version of frugal (ABI {}, expected {})", file.native(),
                          found == 0 ? "unknown" : std::to_string(found), expected))
      .hint("build frugal and its plugins from the same sources");
}

}  // namespace frugal
