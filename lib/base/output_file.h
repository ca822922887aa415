// Files that a user names for a result: -o, --metrics, --svg, --export-json. What is there decides how it is written: a
// regular file is replaced whole, by rename, and links to it stay links; a device, a FIFO or an open descriptor
// (/dev/stdout, /dev/fd/3) is written through and stays what it is. Not for files within folders of our own: those are
// AtomicFile's, which follows no links.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace frugal {

class OutputFile {
 public:
  /// Follows links; "-" is standard output. Throws Error(io) if that fails, Error(bad_input) for a folder.
  explicit OutputFile(const std::filesystem::path& named);

  /// True if it is written through: a device, a FIFO, an open descriptor. It cannot be read back or replaced.
  bool is_stream() const { return is_stream_; }
  bool is_standard_output() const;
  /// The file behind links; it need not exist. Of a stream, its path.
  const std::filesystem::path& path() const { return path_; }

  /// Throws what write() would throw, as far as it can be known without writing.
  void check() const;
  /// Throws Error(io).
  void write(std::span<const std::byte> bytes) const;

 private:
  std::filesystem::path named_, path_;
  int descriptor_ = -1;  // that `named` names
  bool is_stream_ = false;
};

/// Writes `text` to the file that a user named.
void write_output(const std::filesystem::path& named, std::string_view text);

}  // namespace frugal
