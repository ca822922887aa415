#include "base/output_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using testing::TempFolder;
using testing::write_file;

namespace fs = std::filesystem;

TEST_CASE("an output that is a regular file, or is not there, is replaced whole and keeps its permissions") {
  const TempFolder folder;
  write_output(folder / "new", "text");
  CHECK(read_file(folder / "new") == "text");
  REQUIRE(::chmod((folder / "new").c_str(), 0640) == 0);
  write_output(folder / "new", "other");
  CHECK(read_file(folder / "new") == "other");
  CHECK(fs::status(folder / "new").permissions() == fs::perms(0640));
}

TEST_CASE("a link to an output stays a link, and the file behind it is replaced, even one that is not there yet") {
  const TempFolder folder;
  write_file(folder / "real/file", "old");
  fs::create_symlink("real", folder / "folder");
  fs::create_symlink("folder/file", folder / "link");
  fs::create_symlink("real/absent", folder / "dangling");
  write_output(folder / "link", "new");
  write_output(folder / "dangling", "made");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(read_file(folder / "real/file") == "new");
  CHECK(read_file(folder / "real/absent") == "made");
  fs::create_symlink("loop", folder / "loop");
  CHECK_THROWS_AS(write_output(folder / "loop", "x"), Error);
}

TEST_CASE("an output that is a FIFO is written through and stays one") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  auto reader = std::async(std::launch::async, [&] {
    const FileDescriptor fd(::open((folder / "fifo").c_str(), O_RDONLY));
    return read_to_end(fd);
  });
  const std::string text(300'000, 'x');  // more than a pipe holds
  write_output(folder / "fifo", text);
  CHECK(reader.get() == text);
  CHECK(fs::is_fifo(folder / "fifo"));
}

TEST_CASE("an output that is a device is written through: it stays one, and what it refuses is an error") {
  const TempFolder folder;
  fs::create_symlink("/dev/null", folder / "null");
  write_output(folder / "null", "gone");
  CHECK(fs::is_symlink(folder / "null"));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK_THROWS_AS(write_output("/dev/full", "text"), Error);
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("an open descriptor is written at its place, not from the start of its file") {
  const TempFolder folder;
  const FileDescriptor fd(::open((folder / "out").c_str(), O_WRONLY | O_CREAT, 0600));
  REQUIRE(::write(fd.get(), "before ", 7) == 7);
  write_output(fmt::format("/dev/fd/{}", fd.get()), "through ");
  REQUIRE(::write(fd.get(), "after", 5) == 5);
  CHECK(read_file(folder / "out") == "before through after");
}

TEST_CASE("what names standard output is known for it") {
  const TempFolder folder;
  fs::create_symlink("/dev/stdout", folder / "link");
  for (const fs::path& name : {fs::path("-"), fs::path("/dev/stdout"), fs::path("/dev/fd/1"), folder / "link"}) {
    CHECK(OutputFile(name).is_standard_output());
    CHECK(OutputFile(name).is_stream());
  }
  CHECK_FALSE(OutputFile("/dev/stderr").is_standard_output());
  CHECK_FALSE(OutputFile(folder / "1").is_stream());
}

TEST_CASE("an output that cannot be written is known before it is") {
  const TempFolder folder;
  CHECK_THROWS_AS(OutputFile(folder.path()), Error);
  CHECK_THROWS_AS(OutputFile(folder / "none/a").check(), Error);
  CHECK_THROWS_AS(OutputFile("/dev/fd/987").check(), Error);
  CHECK_NOTHROW(OutputFile(folder / "a").check());
  CHECK_NOTHROW(OutputFile("/dev/null").check());
  CHECK_FALSE(fs::exists(folder / "a"));
}
