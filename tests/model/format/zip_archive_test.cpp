#include "model/format/zip_archive.h"

#include <doctest/doctest.h>

#include "support/errors.h"
#include "support/pytorch_files.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

ZipBuilder two() {
  return ZipBuilder().add("a/one", "first").add("a/two", "second");
}

std::string complaint(std::string_view bytes) {
  const TempFolder folder;
  write_file(folder / "m.zip", bytes);
  const MappedFile file(folder / "m.zip");
  return message_of([&] {
    const ZipArchive archive(file);
    for (const ZipEntry& entry : archive.entries()) archive.data(entry);
  });
}

// What is said of `two()` after `change`.
template <typename Change>
std::string complaint_after(Change&& change) {
  ZipBuilder zip = two();
  change(zip);
  return complaint(zip.build());
}

TEST_CASE("entries are found by name, in place, in any order, with zip64 records or without") {
  for (const bool zip64 : {false, true}) {
    ZipBuilder zip = two();
    std::swap(zip.members[0], zip.members[1]);
    zip.zip64 = zip64;
    const TempFolder folder;
    write_file(folder / "m.zip", zip.build());
    const MappedFile file(folder / "m.zip");
    const ZipArchive archive(file);
    REQUIRE(archive.entries().size() == 2);
    CHECK(archive.entries()[0].name == "a/one");
    REQUIRE(archive.find("a/two"));
    const auto data = archive.data(*archive.find("a/two"));
    CHECK(std::string(reinterpret_cast<const char*>(data.data()), data.size()) == "second");
    CHECK(data.data() == file.bytes().data() + archive.find("a/two")->data_offset);
    CHECK(archive.find("a") == nullptr);
    CHECK(archive.find("") == nullptr);
  }
}

TEST_CASE("sizes that only the zip64 field has are taken from there, and must then be there") {
  const auto with_extra = [](std::string_view extra) {
    return complaint_after([&](ZipBuilder& zip) {
      zip.members[1].bytes = zip.members[1].stored_bytes = 0xffffffff;
      zip.members[1].extra = extra;
    });
  };
  std::string sizes;
  for (int i = 0; i < 2; ++i) append_value<uint64_t>(sizes, 6);
  const auto field = [](uint16_t id, uint16_t length) {
    std::string out;
    append_value(out, id);
    append_value(out, length);
    return out;
  };
  CHECK(with_extra(field(1, 16) + sizes) == "no error");
  CHECK(with_extra(field(7, 2) + "xx" + field(1, 16) + sizes) == "no error");
  CHECK(contains(with_extra(""), "runs past the end"));
  CHECK(contains(with_extra(field(1, 8) + sizes.substr(0, 8)), "zip64 extra field of 8 bytes runs past the end"));
  CHECK(contains(with_extra(field(1, 17) + sizes), "extra field of 17 bytes runs past the end"));
  CHECK(contains(with_extra(field(1, 16) + std::string(16, '\xff')), "runs past the end"));
}

TEST_CASE("a compressed entry is listed and not read; an encrypted one makes the archive unreadable") {
  ZipBuilder zip = two();
  zip.members[1].method = 8;
  zip.members[1].bytes = 1'000'000;
  CHECK(contains(complaint(zip.build()), "entry 'a/two' is compressed, by method 8 (offset"));
  for (const uint16_t flag : {1, 1 << 6, 1 << 13})
    CHECK(contains(complaint_after([&](ZipBuilder& z) { z.members[0].flags = flag; }), "'a/one' is encrypted"));
}

TEST_CASE("entries that overlap, come twice or have no usable name are refused") {
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].name = z.members[1].local_name = "a/one"; }),
                 "entry 'a/one' appears twice"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].name = z.members[1].local_name = ""; }),
                 "a name of 0 bytes"));
  CHECK(contains(
      complaint_after([](ZipBuilder& z) { z.members[1].name = z.members[1].local_name = std::string(1'025, 'x'); }),
      "a name of 1025 bytes"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].local_name = "a/2wo"; }),
                 "'a/two': local and central header differ in flags, method or name"));
  // The data of the first entry holds a whole second local header, to which the directory points.
  const std::string inner = ZipBuilder().add("in", "x").build();
  ZipBuilder zip = ZipBuilder().add("out", inner).add("in", "x");
  zip.members[1].offset_error = -static_cast<int64_t>(inner.size());
  CHECK(contains(complaint(zip.build()), "entry 'in' overlaps the one before it"));
}

TEST_CASE("a directory that lies about itself is refused with the offset") {
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.count_error = 1; }), "3 entries in a central dir"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.count_error = -1; }), "longer than its entries"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.count_error = -2; }), "0 entries"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.count_error = 60'000; }), "60002 entries in a central dir"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.directory_error = 1; }), "does not end where"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.before_end = "x"; }), "does not end where"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.comment = "x"; }), "something was appended"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.disk = 1; }), "one of several volumes"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].offset_error = 1 << 20; }), "runs past the end"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].offset_error = 1; }), "has no local header"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].bytes = 5; }), "is stored, yet has 6 bytes of 5"));
  CHECK(contains(complaint_after([](ZipBuilder& z) { z.members[1].stored_bytes = z.members[1].bytes = 5'000; }),
                 "of 5000 bytes runs past the end"));
  CHECK(contains(complaint("PK\x03\x04"), "4 bytes are too few"));
}

TEST_CASE("zip64 records that contradict the others are refused") {
  ZipBuilder zip = two();
  zip.zip64 = true;
  const std::string whole = zip.build();
  const size_t end64 = whole.size() - 22 - 20 - 56, locator = whole.size() - 22 - 20;
  const auto with = [&](size_t at, std::string_view bytes) {
    return complaint(std::string(whole).replace(at, bytes.size(), bytes));
  };
  CHECK(complaint(whole) == "no error");
  CHECK(contains(with(end64, "XX"), "there is no zip64 end record"));
  CHECK(contains(with(end64 + 4, "\x2d"), "wrong size of the record"));
  CHECK(contains(with(end64 + 16, "\x01"), "one of several volumes"));
  CHECK(contains(with(end64 + 24, "\x03"), "the two entry counts differ"));
  CHECK(contains(with(end64 + 40, std::string(8, '\xff')), "does not end where the end record begins"));
  CHECK(contains(with(end64 + 48, std::string(8, '\xff')), "does not end where the end record begins"));
  CHECK(contains(with(locator + 8, std::string(8, '\xff')), "does not lie before its locator"));
  CHECK(contains(with(locator + 8, std::string(8, '\0')), "does not lie before its locator"));
  CHECK(contains(with(locator + 16, "\x02"), "one of several volumes"));
  CHECK(contains(with(whole.size() - 14, std::string("\x05\0\x05\0", 4)), "contradict each other"));
}

}  // namespace
}  // namespace frugal
