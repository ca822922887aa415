// A delimiter is the first 128 bits of HMAC-SHA-256 of the source, under a secret of 32 random bytes that only this
// user can read. Without the secret, the author of a document cannot compute the delimiter; and since it depends on the
// whole document, a delimiter that was seen in an answer is useless for writing another version of the document.
//
// The file of the secret is accepted only if it is a regular file of the right size that belongs to this user and that
// no other user can access. A link is not followed, and opening a pipe does not block. Any other regular file is
// removed and replaced. The new secret is written to a temporary file and published by link(), which fails if the name
// exists: of several processes that start at once, one makes the secret and all read it.
//
// Where no file can be kept, for instance in a read-only folder, the process uses a secret of its own. Answers are as
// safe, but the prefix cache finds nothing of earlier processes.
#include "rag/prompt/boundary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace frugal {
namespace {

constexpr size_t kSecretBytes = 32;

std::string random_secret() {
  std::string bytes(kSecretBytes, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw io_error("draw random bytes from", "getrandom");
  return bytes;
}

// nullopt if the file is missing or not acceptable.
std::optional<std::string> read_secret(const std::filesystem::path& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0 || info.st_size != off_t(kSecretBytes))
    return std::nullopt;
  std::string secret(kSecretBytes, '\0');
  if (::read(fd.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size())) return std::nullopt;
  return secret;
}

// Publishes a new secret, unless another process did so first. False if the file cannot be written.
bool make_secret(const std::filesystem::path& file) {
  try {
    create_private_folders(file.parent_path());
  } catch (const Error&) {
    return false;
  }
  std::string temporary = file.native() + ".tmp.XXXXXX";
  const FileDescriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd) return false;
  const std::string secret = random_secret();
  const bool made = ::write(fd.get(), secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) &&
                    ::fsync(fd.get()) == 0 && (::link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST);
  ::unlink(temporary.c_str());
  return made;
}

}  // namespace

BoundaryKey::BoundaryKey() : secret_(random_secret()) {}

BoundaryKey::BoundaryKey(const std::filesystem::path& file) {
  auto secret = read_secret(file);
  if (!secret) {
    std::error_code ignored;
    if (std::filesystem::symlink_status(file, ignored).type() == std::filesystem::file_type::regular)
      std::filesystem::remove(file, ignored);  // damaged, or readable by others
    if (make_secret(file)) secret = read_secret(file);
  }
  if (!secret) log(LogLevel::info, "cannot keep a secret at '{}': this process uses one of its own", file.native());
  secret_ = secret ? *secret : random_secret();
}

std::string BoundaryKey::boundary(std::string_view source) const {
  const auto digest = hmac_sha256(secret_, source);
  return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + 16, ""));
}

}  // namespace frugal
