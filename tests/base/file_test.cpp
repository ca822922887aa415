#include "base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
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

TEST_CASE("a device, a FIFO or a folder is never replaced by a file, and a link only itself") {
  const TempFolder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(code_of([&] { AtomicFile{folder / "fifo"}; }) == Code::bad_input);
  CHECK(code_of([&] { AtomicFile{folder.path()}; }) == Code::bad_input);
  CHECK(std::filesystem::is_fifo(folder / "fifo"));
  std::ofstream(folder / "victim") << "precious";
  std::filesystem::create_symlink("victim", folder / "link");
  AtomicFile file(folder / "link");
  file.write("new");
  file.publish();
  CHECK(read_file(folder / "victim") == "precious");
  CHECK(read_file(folder / "link") == "new");
}

TEST_CASE("a file for its owner alone is so, whatever it replaces") {
  const TempFolder folder;
  std::ofstream(folder / "a") << "old";
  std::filesystem::permissions(folder / "a", std::filesystem::perms(0644));
  AtomicFile file(folder / "a", FileAccess::owner_only);
  file.publish();
  CHECK(std::filesystem::status(folder / "a").permissions() == std::filesystem::perms(0600));
  create_private_folders(folder / "x/y");
  CHECK(std::filesystem::status(folder / "x").permissions() == std::filesystem::perms(0700));
  CHECK(std::filesystem::status(folder / "x/y").permissions() == std::filesystem::perms(0700));
  CHECK(code_of([&] { create_private_folders(folder / "a/b"); }) == Code::io);
}

TEST_CASE("a FIFO is neither mapped nor waited for, and is read if a process writes to it") {
  const TempFolder folder;
  const std::filesystem::path fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(code_of([&] { MappedFile{fifo}; }) == Code::bad_input);
  CHECK(code_of([&] { read_file(fifo); }) == Code::bad_input);
  CHECK(code_of([&] { FileLock{fifo}; }) == Code::io);
  const FileDescriptor kept(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK));  // what is written waits for a reader
  FileDescriptor writer(::open(fifo.c_str(), O_WRONLY));
  REQUIRE(::write(writer.get(), "text", 4) == 4);
  writer.close();
  CHECK(read_file(fifo) == "text");
}

TEST_CASE("a pipe is read until its writer is gone, and may be empty") {
  const auto read_from_pipe = [](std::string_view text) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const FileDescriptor end(ends[0]);
    std::thread writer([to = ends[1], text] {
      [[maybe_unused]] const ssize_t written = ::write(to, text.data(), text.size());
      ::close(to);
    });
    const std::string read = read_file(fmt::format("/proc/self/fd/{}", end.get()));
    writer.join();
    return read;
  };
  CHECK(read_from_pipe("text") == "text");
  CHECK(read_from_pipe("").empty());
}

TEST_CASE("a lock follows no link, and is of the file that is at its path") {
  const TempFolder folder;
  std::ofstream(folder / "victim") << "precious";
  std::filesystem::create_symlink("victim", folder / "link");
  std::filesystem::create_symlink("absent", folder / "dangling");
  CHECK(code_of([&] { FileLock{folder / "link"}; }) == Code::io);
  CHECK(code_of([&] { FileLock{folder / "dangling"}; }) == Code::io);
  CHECK_FALSE(std::filesystem::exists(folder / "absent"));
  FileLock lock(folder / "lock");
  lock.write("a longer text");
  lock.write("short");
  CHECK(read_file(folder / "lock") == "short");
  CHECK(lock.is_current());
  CHECK(std::filesystem::status(folder / "lock").permissions() == std::filesystem::perms(0600));
  std::filesystem::remove(folder / "lock");
  CHECK_FALSE(lock.is_current());
  const FileLock next(folder / "lock");
  CHECK_FALSE(lock.is_current());
  CHECK(next.is_current());
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
