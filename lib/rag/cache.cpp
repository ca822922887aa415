#include "rag/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "rag/reply_json.h"

namespace frugal {
namespace {

// Changes with the stored form and with anything that makes old answers wrong though their keys agree.
constexpr std::string_view kVersion = "frugal-answer/1";
constexpr int kFolders = 256;
constexpr uint64_t kLargestEntry = 1 << 20;

uint64_t checksum(std::string_view text) {
  return checksum64(std::as_bytes(std::span(text.data(), text.size())));
}

// "frugal-answer/1 <checksum>\n" and the reply. Checked when read, so that a write needs no fsync: a torn file is a
// miss.
std::string wrap(std::string_view body) {
  return fmt::format("{} {:016x}\n{}", kVersion, checksum(body), body);
}

std::optional<std::string_view> unwrap(std::string_view content) {
  const size_t header = kVersion.size() + 1 + 16 + 1;
  if (content.size() < header || !content.starts_with(kVersion) || content[header - 1] != '\n') return std::nullopt;
  const std::string_view body = content.substr(header);
  uint64_t expected = 0;
  std::from_chars(content.data() + kVersion.size() + 1, content.data() + header - 1, expected, 16);
  if (expected != checksum(body)) return std::nullopt;
  return body;
}

void write_by_rename(const std::filesystem::path& target, std::string_view content) {
  std::string temporary = target.native() + ".tmp.XXXXXX";
  const FileDescriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) throw io_error("create", target.native());
  const bool written = ::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (written && ::rename(temporary.c_str(), target.c_str()) == 0) return;
  const Error error = io_error("write", target.native());
  ::unlink(temporary.c_str());
  throw error;
}

}  // namespace

std::string normalise_question(std::string_view question) {
  std::string normal;
  for (const char c : question) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      normal += c;
    } else if (!normal.empty() && normal.back() != ' ') {
      normal += ' ';
    }
  }
  if (!normal.empty() && normal.back() == ' ') normal.pop_back();
  return normal;
}

std::string CacheKey::hex() const {
  Sha256 hash;
  hash.update(kVersion);
  for (const std::string* part : {&question, &options, &index, &models})
    hash.update(fmt::format("\n{}:", part->size())).update(*part);
  return hash.hex();
}

AnswerCache::AnswerCache(std::filesystem::path folder, uint64_t max_bytes)
    : folder_(std::move(folder)), max_bytes_(max_bytes) {}

std::filesystem::path AnswerCache::path_of(const std::string& hex) const {
  return folder_ / hex.substr(0, 2) / hex;
}

std::optional<Reply> AnswerCache::find(const CacheKey& key) const {
  const std::filesystem::path path = path_of(key.hex());
  if (::access(path.c_str(), R_OK) != 0) return std::nullopt;
  try {
    const std::string content = read_file(path, kLargestEntry);
    const auto body = unwrap(content);
    if (!body) return std::nullopt;
    Reply reply = reply_from_json(*body);
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now: the last to be dropped
    return reply;
  } catch (const Error& error) {
    log(LogLevel::info, "cache: {}", error.message());
    return std::nullopt;
  }
}

void AnswerCache::put(const CacheKey& key, const Reply& reply) const {
  try {
    const std::string content = wrap(reply_to_json(reply, ReplyDetail::stored));
    if (content.size() > std::min<uint64_t>(kLargestEntry, max_bytes_ / kFolders)) return;
    const std::filesystem::path path = path_of(key.hex());
    std::error_code failed;
    std::filesystem::create_directories(path.parent_path(), failed);
    if (failed)
      throw Error(Code::io, fmt::format("cannot create '{}': {}", path.parent_path().native(), failed.message()));
    write_by_rename(path, content);
    make_room(path.parent_path());
  } catch (const Error& error) {
    log(LogLevel::warn, "cache: the answer was not kept: {}", error.message());
  }
}

void AnswerCache::make_room(const std::filesystem::path& folder) const {
  struct Entry {
    std::filesystem::path path;
    timespec used;
    uint64_t bytes;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) {
    struct stat info {};
    if (::stat(file.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    entries.push_back({file.path(), info.st_mtim, static_cast<uint64_t>(info.st_size)});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Entry& entry : entries) {
    if (total <= max_bytes_ / kFolders) return;
    std::filesystem::remove(entry.path, ignored);
    total -= entry.bytes;
  }
}

}  // namespace frugal
