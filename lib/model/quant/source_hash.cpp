// A stamp is a text file: a header, a line "digest state" for each file, and "end". It is valid if it equals, byte for
// byte, the text that the present states of the files give; so a stamp of other files, of changed files, or one that
// was truncated is not used.
//
// The state of a file includes the time of its last status change (ctime), which no program can set back. A file that
// was replaced or rewritten is thus noticed even if its size and modification time are the same as before. States are
// taken before the files are hashed and compared afterwards, so a file that changes meanwhile is an error.
#include "model/quant/source_hash.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxStampBytes = uint64_t(1) << 20;
constexpr std::string_view kStampHeader = "frugal source stamp 1\n";
constexpr size_t kDigestChars = 64;

std::string file_state(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw io_error("read the state of", path.native());
  return fmt::format("{} {} {} {}.{} {}.{} {}", info.st_size, info.st_dev, info.st_ino, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec,
                     std::filesystem::absolute(path).native());
}

std::string stamp_text(const std::vector<SourceFile>& files) {
  std::string text(kStampHeader);
  for (const SourceFile& file : files) text += fmt::format("{} {}\n", file.sha256, file.state);
  return text + "end\n";
}

std::string read_stamp(const std::filesystem::path& stamp) {
  std::error_code status;
  if (!std::filesystem::is_regular_file(stamp, status)) return {};
  try {
    return read_file(stamp, kMaxStampBytes);
  } catch (const Error&) {
    return {};  // treated like a missing stamp
  }
}

// Fills in the digests of `files`; false if the stamp does not match their states.
bool read_digests(std::string_view stamp, std::vector<SourceFile>& files) {
  std::string_view rest = stamp;
  if (!rest.starts_with(kStampHeader)) return false;
  rest.remove_prefix(kStampHeader.size());
  for (SourceFile& file : files) {
    if (rest.size() < kDigestChars) return false;
    file.sha256 = rest.substr(0, kDigestChars);
    const std::string line = fmt::format("{} {}\n", file.sha256, file.state);
    if (!rest.starts_with(line)) return false;
    rest.remove_prefix(line.size());
  }
  return rest == "end\n";
}

}  // namespace

uint64_t SourceHash::bytes() const {
  uint64_t sum = 0;
  for (const SourceFile& file : files) sum += file.bytes;
  return sum;
}

std::string SourceHash::listing() const {
  std::string text;
  for (const SourceFile& file : files) text += fmt::format("{} {} {}\n", file.sha256, file.bytes, file.name);
  return text;
}

std::string SourceHash::sha256() const {
  Sha256 hash;
  for (const SourceFile& file : files) hash.update(file.sha256).update("\n");
  return hash.hex();
}

std::vector<SourceFile> list_sources(const Checkpoint& checkpoint) {
  std::vector<SourceFile> files;
  const std::filesystem::path folder = checkpoint.files().front().parent_path();
  for (const std::filesystem::path& path : checkpoint.files())
    files.push_back(
        {path, path.lexically_relative(folder).native(), std::filesystem::file_size(path), file_state(path), ""});
  return files;
}

SourceHash hash_sources(std::vector<SourceFile> files, const std::filesystem::path& stamp) {
  SourceHash hash{std::move(files)};
  hash.from_stamp = read_digests(read_stamp(stamp), hash.files);
  if (hash.from_stamp) return hash;
  for (SourceFile& file : hash.files) file.sha256 = sha256_file(file.path);
  require_unchanged(hash.files);
  return hash;
}

void require_unchanged(std::span<const SourceFile> files) {
  for (const SourceFile& file : files)
    if (file_state(file.path) != file.state)
      throw Error(Code::bad_input, fmt::format("'{}' changed while it was read", file.path.native()))
          .hint("wait until it is complete, then try again");
}

void write_stamp(const SourceHash& hash, FileLock& stamp) {
  try {
    stamp.write(stamp_text(hash.files));
  } catch (const Error& error) {  // an incomplete stamp is ignored when it is read
    log(LogLevel::debug, "cannot write the stamp, so the next run hashes the source again: {}", error.message());
  }
}

}  // namespace frugal
