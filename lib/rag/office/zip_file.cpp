#include "rag/office/zip_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/units.h"

namespace frugal {
namespace {

constexpr size_t kMaxEntries = 50'000;
constexpr uint64_t kMaxEntryBytes = uint64_t(256) << 20;
// Text in XML packs to a tenth, and a table of one value to a hundredth; deflate's limit is 1032.
constexpr uint64_t kMaxRatio = 250;
constexpr uint64_t kFreeBytes = uint64_t(32) << 20;  // the ratio of a small file means nothing

struct Free {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, Free>;

[[noreturn]] void damaged(archive* reader) {
  const char* reason = ::archive_error_string(reader);
  throw Error(Code::bad_input, fmt::format("a damaged archive: {}", reason ? reason : "it ends early"));
}

Reader open(const std::string& bytes) {
  Reader reader(::archive_read_new());
  if (!reader) throw std::bad_alloc();
  ::archive_read_support_format_zip(reader.get());
  if (::archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) damaged(reader.get());
  return reader;
}

/// The next entry's name; nullopt at the end.
std::optional<std::string> next_name(archive* reader) {
  for (;;) {
    archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) return std::nullopt;
    if (status < ARCHIVE_WARN) damaged(reader);
    const char* name = ::archive_entry_pathname_utf8(entry);
    if (!name) name = ::archive_entry_pathname(entry);
    if (name) return std::string(name);
  }
}

}  // namespace

ZipFile::ZipFile(const std::string& bytes) : bytes_(bytes) {
  const Reader reader = open(bytes);
  size_t entries = 0;
  while (std::optional<std::string> name = next_name(reader.get())) {
    if (++entries > kMaxEntries)
      throw Error(Code::bad_input, fmt::format("an archive of more than {} files", kMaxEntries));
    names_.insert(std::move(*name));
  }
}

std::optional<std::string> ZipFile::read(const std::string& name) {
  if (!loaded_.contains(name)) unpack({name});
  const auto found = loaded_.find(name);
  if (found == loaded_.end()) return std::nullopt;
  std::string bytes = std::move(found->second);
  loaded_.erase(found);
  return bytes;
}

void ZipFile::unpack(const std::set<std::string>& wanted) {
  const Reader reader = open(bytes_);
  while (const std::optional<std::string> name = next_name(reader.get())) {
    if (!wanted.contains(*name) || loaded_.contains(*name)) continue;
    std::string content;
    char block[1 << 16];
    for (;;) {
      const la_ssize_t got = ::archive_read_data(reader.get(), block, sizeof block);
      if (got < 0) damaged(reader.get());
      if (got == 0) break;
      content.append(block, static_cast<size_t>(got));
      unpacked_bytes_ += static_cast<uint64_t>(got);
      if (unpacked_bytes_ > kFreeBytes + kMaxRatio * bytes_.size())
        throw Error(Code::bad_input, fmt::format("unpacks to more than {} times its size, as a zip bomb", kMaxRatio));
      if (content.size() > kMaxEntryBytes)
        throw Error(Code::bad_input,
                    fmt::format("'{}' in it unpacks to more than {}", *name, format_bytes(kMaxEntryBytes)));
    }
    loaded_[*name] = std::move(content);
  }
}

}  // namespace frugal
