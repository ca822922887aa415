#include "rag/cache/sqlite_result_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/temp_folder.h"

using namespace frugal;
using frugal::testing::TempFolder;
namespace fs = std::filesystem;

namespace {

void put(ResultStore& store, const std::string& key, const std::string& body) {
  store.put(key, "scope", "signature " + key, "question " + key, body);
}

// The body that belongs to a key: what another process stored can be checked.
std::string body_of(int key) {
  return std::string(static_cast<size_t>(200 + key * 7), static_cast<char>('a' + key % 26));
}

}  // namespace

TEST_CASE("a result is found by another store on the same folder, and only by its key") {
  const TempFolder folder;
  {
    SqliteResultStore store(folder.path(), {});
    put(store, "k", "body");
  }
  SqliteResultStore store(folder.path(), {});
  const auto found = store.find("k");
  REQUIRE(found);
  CHECK(found->body == "body");
  CHECK(found->question == "question k");
  CHECK_FALSE(store.find("K"));
  CHECK(store.find_similar("scope", "signature k", 8).size() == 1);
  CHECK(store.find_similar("other", "signature k", 8).empty());
  CHECK(store.stats().hits == 1);
}

TEST_CASE("the file is this user's alone") {
  const TempFolder folder;
  SqliteResultStore store(folder.path(), {});
  put(store, "k", "body");
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    struct stat info {};
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a result that is too old is not found, and goes with the next write") {
  const TempFolder folder;
  SqliteResultStore store(folder.path(), {uint64_t(1) << 20, 0});
  put(store, "a", "body");
  CHECK_FALSE(store.find("a"));
  CHECK(store.stats().results == 0);
}

TEST_CASE("the least recently used results are evicted above the limit") {
  const TempFolder folder;
  const ResultLimits limits{uint64_t(256) << 10, 3600};
  SqliteResultStore store(folder.path(), limits);
  for (int i = 0; i < 300; ++i) put(store, std::to_string(i), std::string(4000, 'x'));
  CHECK(store.find("299"));
  CHECK_FALSE(store.find("0"));
  const ResultStats stats = store.stats();
  CHECK(stats.results > 20);
  CHECK(fs::file_size(store.path()) <= limits.max_bytes + (64 << 10));
  store.clear();
  CHECK(store.stats().results == 0);
  CHECK(fs::file_size(store.path()) < (64 << 10));
}

TEST_CASE("a damaged file is begun anew, wherever the damage is") {
  const TempFolder folder;
  const auto fill = [&] {
    SqliteResultStore store(folder.path(), {});
    for (int i = 0; i < 30; ++i) put(store, std::to_string(i), body_of(i));
    return store.path();
  };
  const fs::path path = fill();
  const auto size = fs::file_size(path);
  const auto check_usable = [&](const char* how) {
    INFO(how);
    SqliteResultStore store(folder.path(), {});
    for (int i = 0; i < 30; ++i)
      if (const auto found = store.find(std::to_string(i))) CHECK(found->body == body_of(i));  // a miss is fine
    put(store, "new", "body");
    REQUIRE(store.find("new"));
    CHECK(store.find("new")->body == "body");
  };
  std::ofstream(path, std::ios::binary | std::ios::trunc) << "this is no database, and longer than a header of one";
  check_usable("text");
  std::ofstream(path, std::ios::binary | std::ios::trunc);
  check_usable("empty");
  for (size_t at = 0; at < size; at += 509) {
    fs::remove(path);
    fill();
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << "\xff\xfe\xfd\xfc";
    file.close();
    check_usable("flipped");
  }
  fs::remove(path);
  fill();
  fs::resize_file(path, size / 2);
  check_usable("truncated");
  {
    Database other(folder.path() / "other.sqlite", Database::Mode::write);
    other.execute("CREATE TABLE t(x)");
  }
  fs::rename(folder.path() / "other.sqlite", path);
  check_usable("the database of another program");
}

TEST_CASE("where nothing can be written, nothing is kept and nothing fails") {
  const TempFolder folder;
  std::ofstream(folder.path() / "file") << "not a folder";
  SqliteResultStore store(folder.path() / "file", {});
  CHECK_NOTHROW(put(store, "k", "body"));
  CHECK_FALSE(store.find("k"));
  CHECK(store.stats().results == 0);
  CHECK(store.matches().empty());
}

TEST_CASE("a match is recorded with both questions") {
  const TempFolder folder;
  SqliteResultStore store(folder.path(), {});
  put(store, "k", "body");
  store.record_match(store.find("k")->key, "asked");
  const auto matches = store.matches();
  REQUIRE(matches.size() == 1);
  CHECK(matches[0].asked == "asked");
  CHECK(matches[0].question == "question k");
}

TEST_CASE("processes that write, read, clear and damage one file never read a wrong body") {
  const TempFolder folder;
  constexpr int kProcesses = 6, kRounds = 60;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      int wrong = 0;
      for (int round = 0; round < kRounds; ++round) {
        SqliteResultStore store(folder.path(), {uint64_t(64) << 10, 3600});
        const int key = (round * 7 + process * 13) % 40;
        put(store, std::to_string(key), body_of(key));
        for (int other = 0; other < 40; other += 5)
          if (const auto found = store.find(std::to_string(other))) wrong += found->body != body_of(other);
        if (process == 0 && round % 20 == 10) store.clear();
        if (process == 1 && round % 20 == 15) {
          std::fstream file(store.path(), std::ios::binary | std::ios::in | std::ios::out);
          file.seekp(4096 * (round % 3));
          file << "damage";
        }
      }
      ::_exit(wrong == 0 ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  SqliteResultStore store(folder.path(), {});
  put(store, "last", "body");
  CHECK(store.find("last"));
}
