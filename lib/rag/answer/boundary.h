// The delimiters that sources stand between in a prompt. Whoever wrote a source must not be able to foretell its
// delimiter; the same source should have the same one every time, so that its tokens are known from the last time
// (model/generate/prefix_cache.h) and an answer can be had again.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace frugal {

/// A secret, and what it makes of a source. Changing a source, for instance by writing a delimiter into it that was
/// seen in an answer, changes its delimiter.
class BoundaryKey {
 public:
  /// From the operating system's random numbers, for this process. Throws Error(io).
  BoundaryKey();
  /// The one that `file` holds, which is made if need be, readable by its owner only. Where that is not possible, or
  /// somebody else may read the file, as BoundaryKey().
  explicit BoundaryKey(const std::filesystem::path& file);

  /// 128 bits in hexadecimal: HMAC-SHA-256 of `source` under the secret.
  std::string boundary(std::string_view source) const;

 private:
  std::string secret_;
};

}  // namespace frugal
