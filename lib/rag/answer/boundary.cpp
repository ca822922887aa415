#include "rag/answer/boundary.h"

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

// nullopt if there is none, or it is no secret.
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

// By link, which does not replace: of several processes one makes the secret, and all use it. False: could not be made.
bool make_secret(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
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
      std::filesystem::remove(file, ignored);  // cut short, or readable by others: no secret any more
    if (make_secret(file)) secret = read_secret(file);
  }
  if (!secret) log(LogLevel::info, "no secret can be kept at '{}': prompts of this process are its own", file.native());
  secret_ = secret ? *secret : random_secret();
}

std::string BoundaryKey::boundary(std::string_view source) const {
  const auto digest = hmac_sha256(secret_, source);
  return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + 16, ""));
}

}  // namespace frugal
