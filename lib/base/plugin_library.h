// Plugins: shared objects of frugal's own that are opened only where the settings name one, so that a process that does
// not need their libraries does not map them. Each has one entry function, a plain C function that returns a table.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace frugal {

/// The file of a plugin: frugal_NAME.so in $FRUGAL_PLUGINS, or beside the executable in ../plugins (a build tree) or
/// ../lib/frugal (an installation). Throws Error(missing) with `hint` and the folders searched; Error(usage) if
/// FRUGAL_PLUGINS is relative.
std::filesystem::path find_plugin(const std::string& name, const std::string& hint);

/// An open shared object, closed with its owner.
class PluginLibrary {
 public:
  /// Throws Error(missing) with the linker's words if the file cannot be loaded; `hint` says how to install what it
  /// needs. Throws Error(mismatch) if it has no function `entry`.
  PluginLibrary(const std::filesystem::path& file, const char* entry, const std::string& hint);

  /// The entry function, to be cast to its type.
  void* entry() const { return entry_; }
  /// Error(mismatch): the plugin's table has the ABI `found` (0: unknown).
  static void require_abi(const std::filesystem::path& file, int64_t found, int64_t expected);

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  std::unique_ptr<void, Close> handle_;
  void* entry_ = nullptr;
};

}  // namespace frugal
