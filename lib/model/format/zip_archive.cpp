// Field names and sizes are those of the specification (PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3).
#include "model/format/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "model/format/byte_cursor.h"
#include "model/format/source_tensor.h"

namespace frugal {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;
constexpr uint64_t kCentralHeaderBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kEnd64LocatorBytes = 20;

constexpr uint64_t kMaxEntries = 262'144;  // an entry a storage: more than any model has
constexpr uint64_t kMaxEntryNameBytes = 1'024;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kEncryptedFlags = 1 << 0 | 1 << 6 | 1 << 13;  // encrypted, strongly so, directory masked
constexpr uint16_t kSizesFollowFlag = 1 << 3;                    // sizes are in a descriptor behind the data
constexpr uint32_t kIn64 = 0xffffffff;                           // the value is in the zip64 extra field

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
};

// An entry of the central directory, before its local header has been looked at.
struct Header {
  std::string_view name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint64_t stored_bytes = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;
};

class ZipReader {
 public:
  explicit ZipReader(const MappedFile& file) : file_(file), bytes_(file.bytes()) {}

  std::vector<ZipEntry> read() {
    const Directory directory = find_directory();
    std::vector<ZipEntry> entries = read_directory(directory);
    check_overlap(entries, directory);
    sort_by_name(entries);
    return entries;
  }

 private:
  ByteCursor cursor(uint64_t begin, uint64_t end) const {
    return ByteCursor(bytes_.first(end), begin, fmt::format("zip archive '{}'", file_.path().native()));
  }
  ByteCursor cursor_at(uint64_t begin) const { return cursor(begin, bytes_.size()); }
  [[noreturn]] void fail(uint64_t offset, std::string_view what) const { cursor_at(0).fail_at(offset, what); }

  // The end record must be the file's last bytes: torch writes no comment, and one could hide a second end record.
  Directory find_directory() const {
    if (bytes_.size() < kEndBytes) fail(0, fmt::format("{} bytes are too few for a zip archive", bytes_.size()));
    const uint64_t end = bytes_.size() - kEndBytes;
    ByteCursor record = cursor_at(end);
    if (record.read<uint32_t>("end record") != kEnd)
      fail(end, "the file does not end with a zip end record: it is cut, or something was appended");
    check_one_disk(end, record.read<uint16_t>("disk number"), record.read<uint16_t>("disk number"));
    Directory directory;
    const auto entries_here = record.read<uint16_t>("entry count");
    directory.entries = record.read<uint16_t>("entry count");
    directory.bytes = record.read<uint32_t>("directory size");
    directory.offset = record.read<uint32_t>("directory offset");
    if (entries_here != directory.entries) fail(end + 8, "the two entry counts differ");
    if (record.read<uint16_t>("comment length") != 0) fail(end + 20, "the comment runs past the end");
    const std::optional<uint64_t> end64 = find_end64(end);
    if (end64) directory = read_end64(*end64, directory);
    check_directory(directory, end64.value_or(end));
    return directory;
  }

  static bool is_one_disk(uint32_t disk, uint32_t directory_disk) { return disk == 0 && directory_disk == 0; }
  void check_one_disk(uint64_t offset, uint32_t disk, uint32_t directory_disk) const {
    if (!is_one_disk(disk, directory_disk)) fail(offset + 4, "the archive is one of several volumes");
  }

  // Offset of the zip64 end record, if there is one.
  std::optional<uint64_t> find_end64(uint64_t end) const {
    if (end < kEnd64LocatorBytes) return std::nullopt;
    const uint64_t at = end - kEnd64LocatorBytes;
    ByteCursor record = cursor_at(at);
    if (record.read<uint32_t>("zip64 locator") != kEnd64Locator) return std::nullopt;
    const auto disk = record.read<uint32_t>("zip64 locator");
    const auto end64 = record.read<uint64_t>("zip64 locator");
    if (disk != 0 || record.read<uint32_t>("zip64 locator") > 1) fail(at + 4, "the archive is one of several volumes");
    if (end64 > at || at - end64 != kEnd64Bytes)
      fail(at + 8, fmt::format("the zip64 end record at {} does not lie before its locator", end64));
    return end64;
  }

  // Each field of the short record must equal the zip64 field, or be all ones.
  Directory read_end64(uint64_t at, const Directory& narrow) const {
    ByteCursor record = cursor_at(at);
    if (record.read<uint32_t>("zip64 end record") != kEnd64) fail(at, "there is no zip64 end record");
    if (record.read<uint64_t>("zip64 end record size") != kEnd64Bytes - 12) fail(at + 4, "wrong size of the record");
    record.take(4, "versions");
    const auto disk = record.read<uint32_t>("disk number");
    check_one_disk(at + 12, disk, record.read<uint32_t>("disk number"));
    Directory wide;
    const auto entries_here = record.read<uint64_t>("entry count");
    wide.entries = record.read<uint64_t>("entry count");
    wide.bytes = record.read<uint64_t>("directory size");
    wide.offset = record.read<uint64_t>("directory offset");
    if (entries_here != wide.entries) fail(at + 24, "the two entry counts differ");
    const auto agree = [](uint64_t small, uint64_t large, uint64_t ones) { return small == ones || small == large; };
    if (!agree(narrow.entries, wide.entries, 0xffff) || !agree(narrow.bytes, wide.bytes, kIn64) ||
        !agree(narrow.offset, wide.offset, kIn64))
      fail(at + 24, "the zip64 end record and the end record contradict each other");
    return wide;
  }

  void check_directory(const Directory& directory, uint64_t end) const {
    if (directory.offset > end || end - directory.offset != directory.bytes)
      fail(end, fmt::format("the central directory, {} bytes at {}, does not end where the end record begins",
                            directory.bytes, directory.offset));
    if (directory.entries == 0 || directory.entries > kMaxEntries ||
        directory.entries > directory.bytes / kCentralHeaderBytes)
      fail(end, fmt::format("{} entries in a central directory of {} bytes", directory.entries, directory.bytes));
  }

  std::vector<ZipEntry> read_directory(const Directory& directory) const {
    ByteCursor record = cursor(directory.offset, directory.offset + directory.bytes);
    std::vector<ZipEntry> entries;
    entries.reserve(directory.entries);
    for (uint64_t i = 0; i < directory.entries; ++i) entries.push_back(find_data(read_header(record), directory));
    if (record.remaining() > 0) record.fail("the central directory is longer than its entries");
    return entries;
  }

  Header read_header(ByteCursor& record) const {
    const uint64_t begin = record.offset();
    if (record.read<uint32_t>("central header") != kCentralHeader) fail(begin, "there is no central header");
    record.take(4, "versions");
    Header header;
    header.flags = record.read<uint16_t>("flags");
    header.method = record.read<uint16_t>("method");
    record.take(8, "time and checksum");
    header.stored_bytes = record.read<uint32_t>("compressed size");
    header.bytes = record.read<uint32_t>("size");
    const auto name_bytes = record.read<uint16_t>("name length");
    const auto extra_bytes = record.read<uint16_t>("extra length");
    const auto comment_bytes = record.read<uint16_t>("comment length");
    if (record.read<uint16_t>("disk number") != 0) fail(begin + 34, "the entry is on another volume");
    record.take(6, "attributes");
    header.offset = record.read<uint32_t>("local header offset");
    header.name = record.take_text(name_bytes, "entry name");
    const uint64_t extra_offset = record.offset();
    const auto extra = record.take(extra_bytes, "extra fields");
    record.take(comment_bytes, "entry comment");
    widen(header, extra_offset, extra.size());
    check_header(header, begin);
    return header;
  }

  // Replaces the header's fields that are all ones by those of the zip64 extra field, in its order.
  void widen(Header& header, uint64_t extra_offset, uint64_t extra_bytes) const {
    ByteCursor record = cursor(extra_offset, extra_offset + extra_bytes);
    while (record.remaining() > 0) {
      const auto id = record.read<uint16_t>("extra field");
      const auto length = record.read<uint16_t>("extra field");
      const uint64_t begin = record.offset();
      const auto field = record.take(length, "extra field");
      if (id != kZip64Extra) continue;
      ByteCursor wide = cursor(begin, begin + field.size());
      for (uint64_t* value : {&header.bytes, &header.stored_bytes, &header.offset})
        if (*value == kIn64) *value = wide.read<uint64_t>("zip64 extra field");
      return;  // a second one would contradict the first, or say nothing
    }
  }

  void check_header(const Header& header, uint64_t offset) const {
    const std::string shown = fmt::format("entry '{}'", printable(header.name));
    if (header.name.empty() || header.name.size() > kMaxEntryNameBytes)
      fail(offset + 28, fmt::format("an entry has a name of {} bytes", header.name.size()));
    if (header.flags & kEncryptedFlags) fail(offset + 8, shown + " is encrypted");
    if (header.method == 0 && header.stored_bytes != header.bytes)
      fail(offset + 20, fmt::format("{} is stored, yet has {} bytes of {}", shown, header.stored_bytes, header.bytes));
  }

  // The local header must agree with the central one: readers that scan the file forward see only local headers.
  ZipEntry find_data(const Header& header, const Directory& directory) const {
    ByteCursor record = cursor(header.offset, directory.offset);
    const std::string shown = fmt::format("entry '{}'", printable(header.name));
    if (record.read<uint32_t>(shown) != kLocalHeader) fail(header.offset, shown + " has no local header");
    record.take(2, "version");
    const auto flags = record.read<uint16_t>("flags");
    const auto method = record.read<uint16_t>("method");
    record.take(8, "time and checksum");
    const auto stored_bytes = record.read<uint32_t>("compressed size");
    const auto bytes = record.read<uint32_t>("size");
    const auto name_bytes = record.read<uint16_t>("name length");
    const auto extra_bytes = record.read<uint16_t>("extra length");
    if (flags != header.flags || method != header.method || record.take_text(name_bytes, shown) != header.name)
      fail(header.offset, shown + ": local and central header differ in flags, method or name");
    const auto agrees = [&](uint32_t local, uint64_t central) {
      return local == central || local == kIn64 || (local == 0 && (flags & kSizesFollowFlag));
    };
    if (!agrees(stored_bytes, header.stored_bytes) || !agrees(bytes, header.bytes))
      fail(header.offset + 18, shown + ": local and central header differ in size");
    record.take(extra_bytes, shown);
    const uint64_t data_offset = record.offset();
    record.take(header.stored_bytes, shown);
    return {header.name, method, header.offset, data_offset, header.stored_bytes};
  }

  void check_overlap(std::vector<ZipEntry>& entries, const Directory& directory) const {
    std::sort(entries.begin(), entries.end(),
              [](const ZipEntry& a, const ZipEntry& b) { return a.header_offset < b.header_offset; });
    uint64_t end = 0;
    for (const ZipEntry& entry : entries) {
      if (entry.header_offset < end)
        fail(entry.header_offset, fmt::format("entry '{}' overlaps the one before it", printable(entry.name)));
      end = entry.data_offset + entry.stored_bytes;
    }
    if (end > directory.offset) fail(directory.offset, "the last entry overlaps the central directory");
  }

  void sort_by_name(std::vector<ZipEntry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(entries.begin(), entries.end(),
                                          [](const ZipEntry& a, const ZipEntry& b) { return a.name == b.name; });
    if (twice != entries.end())
      fail(std::next(twice)->header_offset, fmt::format("entry '{}' appears twice", printable(twice->name)));
  }

  const MappedFile& file_;
  std::span<const std::byte> bytes_;
};

}  // namespace

ZipArchive::ZipArchive(const MappedFile& file) : file_(file), entries_(ZipReader(file).read()) {}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const ZipEntry& entry, std::string_view key) { return entry.name < key; });
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

std::span<const std::byte> ZipArchive::data(const ZipEntry& entry) const {
  if (entry.method == 0) return file_.bytes().subspan(entry.data_offset, entry.stored_bytes);
  throw Error(Code::bad_input,
              fmt::format("zip archive '{}': entry '{}' is compressed, by method {} (offset {})", file_.path().native(),
                          printable(entry.name), entry.method, entry.header_offset + 8))
      .hint("torch.save stores its entries as they are: pack the archive again without compression");
}

}  // namespace frugal
