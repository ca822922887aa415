// Plugins: shared objects of frugal's own that are opened only where the settings name one, so that a process that does
// not need their libraries does not map them. Each has one entry function, a plain C function that returns a table.
#pragma once

#include <cstdint>
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
  PluginLibrary(const std::filesystem::path& file, const char* entry, const std::string& hint);
  /// The entry function, to be cast to its type.
  void* entry() const { return entry_; }
  /// Throws Error(mismatch) unless `found`, the ABI of the plugin's table (0: unknown), is the expected one.
  static void require_abi(const std::filesystem::path& file, uint32_t found, uint32_t expected);

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  std::unique_ptr<void, Close> handle_;
  void* entry_ = nullptr;
};

/// A plugin's table of functions, with the library that it points into. A Table is a C struct that begins with its ABI,
/// `abi`, and its own size, `bytes`.
template <typename Table>
class PluginTable {
 public:
  /// entry: the name of the function that returns the table for an ABI, or null. Throws Error(missing) with the
  /// linker's words if the file cannot be loaded; `hint` says how to install what it needs. Throws Error(mismatch) if
  /// it has no such function, or another ABI.
  PluginTable(const std::filesystem::path& file, const char* entry, uint32_t abi, const std::string& hint)
      : library_(file, entry, hint), table_(reinterpret_cast<const Table* (*)(uint32_t)>(library_.entry())(abi)) {
    const bool has_size = table_ && (table_->abi != abi || table_->bytes == sizeof(Table));
    PluginLibrary::require_abi(file, has_size ? table_->abi : 0, abi);
  }

  const Table& operator*() const { return *table_; }
  const Table* operator->() const { return table_; }

 private:
  PluginLibrary library_;
  const Table* table_;
};

}  // namespace frugal
