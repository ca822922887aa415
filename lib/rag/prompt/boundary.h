// Delimiters around the sources in a prompt. The author of a document cannot predict its delimiter, so a document
// cannot close its own block and pose as instructions. The same source gets the same delimiter every time, so that the
// prefix cache finds its tokens (model/generate/prefix_cache.h) and an answer can be reproduced.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace frugal {

/// A secret from which delimiters are derived. A delimiter depends on every byte of its source: a document that quotes
/// its own delimiter gets another one.
class BoundaryKey {
 public:
  /// A random secret for this process. Throws Error(io) if the operating system gives no random bytes.
  BoundaryKey();
  /// The secret in `file`. A file that is missing, damaged or readable by others is replaced by a new secret, readable
  /// by its owner only. If no secret can be kept there, as BoundaryKey().
  explicit BoundaryKey(const std::filesystem::path& file);

  /// 128 bits in hexadecimal: HMAC-SHA-256 of `source` under the secret.
  std::string boundary(std::string_view source) const;

 private:
  std::string secret_;
};

}  // namespace frugal
