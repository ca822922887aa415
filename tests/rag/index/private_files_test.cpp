// The files of an index are its user's alone, and a link at the place of one is not followed: the folder may be one
// that others write to.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "rag/index/index_writer.h"
#include "rag/index/store.h"
#include "rag/index_fakes.h"
#include "rag/vectors/vectors.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace fs = std::filesystem;

namespace {

struct SmallIndex : TempFolder {
  SmallIndex() { write_file(*this / "docs/a.txt", "The cat sat on the mat."); }
  void add() const {
    CountingEmbedder embedder;
    IndexOptions options;
    options.embedder = &embedder;
    IndexWriter(index, std::move(options)).add({(path() / "docs").native()});
  }
  const fs::path index = *this / "made/index";
};

fs::perms access_of(const fs::path& path) {
  return fs::status(path).permissions();
}

}  // namespace

TEST_CASE("an index is readable by its user alone") {
  const SmallIndex small;
  small.add();
  CHECK(access_of(small.index.parent_path()) == fs::perms(0700));
  CHECK(access_of(small.index) == fs::perms(0700));
  for (const auto& entry : fs::directory_iterator(small.index)) {
    CAPTURE(entry.path().filename().native());
    CHECK(access_of(entry.path()) == fs::perms(0600));
  }
}

TEST_CASE("an index that its user opened to others stays open, its new files too") {
  const SmallIndex small;
  small.add();
  fs::permissions(small.index / "index.sqlite", fs::perms(0644));
  fs::remove(small.index / "vectors-1.i8");
  VectorAppender(small.index / "vectors-1.i8", {8, 1}, 0);
  CHECK(access_of(small.index / "vectors-1.i8") == fs::perms(0600));
  CHECK(access_of(small.index / "index.sqlite") == fs::perms(0644));
}

TEST_CASE("a link at the place of an index's file is not written through") {
  const SmallIndex small;
  for (const char* name : {"index.sqlite", "writer.lock", "vectors-1.i8"}) {
    CAPTURE(name);
    fs::remove_all(small.index);
    create_private_folders(small.index);
    write_file(small / "victim", "precious");
    for (const bool dangling : {false, true}) {
      if (dangling) fs::remove(small / "victim");
      fs::remove(small.index / name);
      fs::create_symlink(small / "victim", small.index / name);
      // An old vectors file is in the way of none: the link is removed, and a file of our own takes its place.
      const bool refused = message_of([&] { small.add(); }) != "no error";
      CHECK(refused != !fs::is_symlink(small.index / name));
      CHECK(fs::exists(small / "victim") == !dangling);
      if (!dangling) CHECK(read_file(small / "victim") == "precious");
    }
  }
  fs::create_symlink(small / "victim", small / "link.i8");
  CHECK(message_of([&] { VectorAppender(small / "link.i8", {8, 1}, 0); }) != "no error");
  CHECK_FALSE(fs::exists(small / "victim"));
}

TEST_CASE("a FIFO at the place of an index's database is not waited for") {
  const SmallIndex small;
  create_private_folders(small.index);
  REQUIRE(::mkfifo((small.index / "index.sqlite").c_str(), 0600) == 0);
  CHECK(message_of([&] { open_store(small.index, Budget::unlimited()); }) != "no error");
  CHECK(message_of([&] { small.add(); }) != "no error");
}
