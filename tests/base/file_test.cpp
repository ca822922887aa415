#include "base/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "support/temp_folder.h"

using namespace frugal;
using testing::TempFolder;

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Code code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(!error.message().empty());
    return error.code();
  }
  FAIL("no error");
  return Code::internal;
}

}  // namespace

TEST_CASE("a published file has its content, the user's mode, and nothing beside it") {
  const TempFolder folder;
  AtomicFile file(folder.path() / "a");
  file.write("hello ");
  file.write("world");
  file.publish();
  CHECK(read_file(folder.path() / "a") == "hello world");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a"});
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat info {};
  REQUIRE(::stat((folder.path() / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == (0666 & ~mask));
}

TEST_CASE("a file that is not published leaves nothing behind and the old one untouched") {
  const TempFolder folder;
  std::ofstream(folder.path() / "a") << "old";
  {
    AtomicFile file(folder.path() / "a");
    file.write("new");
    CHECK(read_file(folder.path() / "a") == "old");
  }
  CHECK(read_file(folder.path() / "a") == "old");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("until the moment of publication readers see the old file whole, and one who has it open keeps it") {
  const TempFolder folder;
  std::ofstream(folder.path() / "a") << "old content";
  const MappedFile reader(folder.path() / "a");
  AtomicFile file(folder.path() / "a");
  file.write("new");
  CHECK(read_file(folder.path() / "a") == "old content");
  file.publish();
  CHECK(read_file(folder.path() / "a") == "new");
  CHECK(std::string(reinterpret_cast<const char*>(reader.bytes().data()), reader.bytes().size()) == "old content");
}

TEST_CASE("reserved space that was not written is not part of the file") {
  const TempFolder folder;
  AtomicFile file(folder.path() / "a");
  file.reserve(1 << 20);
  file.write("abc");
  CHECK(file.offset() == 3);
  const char patch[] = {'X'};
  file.write_at(1, std::as_bytes(std::span(patch)));
  file.publish();
  const std::string content = read_file(folder.path() / "a");
  CHECK(content == "aXc");
}

TEST_CASE("publishing into a folder that does not exist is an I/O error naming the file") {
  const TempFolder folder;
  try {
    AtomicFile file(folder.path() / "none" / "a");
    FAIL("created");
  } catch (const Error& error) {
    CHECK(error.code() == Code::io);
    CHECK(error.message().find("none/a") != std::string::npos);
  }
}

TEST_CASE("a mapped file shows its bytes, survives being moved, and an empty one is an empty span") {
  const TempFolder folder;
  std::ofstream(folder.path() / "a") << std::string(10'000, 'q');
  std::ofstream(folder.path() / "empty");
  MappedFile first(folder.path() / "a");
  const MappedFile second = std::move(first);
  CHECK(first.bytes().empty());
  REQUIRE(second.bytes().size() == 10'000);
  second.prefetch(0, 1 << 20);
  second.release(100, uint64_t(1) << 40);  // clipped to the file
  CHECK(char(second.bytes()[9'999]) == 'q');
  CHECK(MappedFile(folder.path() / "empty").bytes().empty());
}

TEST_CASE("what cannot be mapped or read says why") {
  const TempFolder folder;
  CHECK(code_of([&] { MappedFile(folder.path() / "missing"); }) == Code::io);
  CHECK(code_of([&] { MappedFile{folder.path()}; }) == Code::bad_input);
  CHECK(code_of([&] { MappedFile("/dev/null"); }) == Code::bad_input);
  CHECK(code_of([&] { read_file(folder.path() / "missing"); }) == Code::io);
  CHECK(code_of([&] { read_file(folder.path()); }) == Code::bad_input);
  std::ofstream(folder.path() / "a") << "four";
  CHECK(read_file(folder.path() / "a", 4) == "four");
  CHECK(code_of([&] { read_file(folder.path() / "a", 3); }) == Code::bad_input);
}

TEST_CASE("a lock is held once, and free again when its holder is gone") {
  const TempFolder folder;
  {
    const FileLock lock(folder.path() / "lock");
    CHECK(code_of([&] { FileLock again(folder.path() / "lock"); }) == Code::bad_input);
  }
  FileLock free(folder.path() / "lock");
  CHECK(code_of([&] { FileLock nowhere(folder.path() / "none" / "lock"); }) == Code::io);
}
