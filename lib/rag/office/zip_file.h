// The files in a ZIP archive in memory, read by name. An archive is hostile: the number of its entries, the bytes that
// they unpack to, and these bytes over the archive's are limited; an archive in it is never opened.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace frugal {

class ZipFile {
 public:
  /// Borrows `bytes`. Throws Error(bad_input) if they are no archive, or beyond a limit.
  explicit ZipFile(const std::string& bytes);

  bool has(const std::string& name) const { return names_.contains(name); }
  /// Unpacks the entries that `wanted` accepts, in one pass, and keeps them for read(). Throws Error(bad_input).
  template <typename F>
  void load(F&& wanted) {
    std::set<std::string> chosen;
    for (const std::string& name : names_)
      if (wanted(name)) chosen.insert(name);
    unpack(chosen);
  }
  /// The bytes of an entry, which are given away if load() kept them; nullopt if there is none. Throws
  /// Error(bad_input).
  std::optional<std::string> read(const std::string& name);

 private:
  void unpack(const std::set<std::string>& wanted);

  const std::string& bytes_;
  std::set<std::string> names_;
  std::map<std::string, std::string> loaded_;
  uint64_t unpacked_bytes_ = 0;
};

}  // namespace frugal
