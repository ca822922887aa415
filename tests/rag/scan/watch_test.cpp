#include "rag/scan/watch.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>

#include "support/temp_folder.h"

using namespace frugal;
using frugal::testing::TempFolder;
using frugal::testing::write_file;

namespace {

constexpr auto kQuiet = std::chrono::milliseconds(1);

struct Watched : TempFolder {
  Watched() {
    write_file(*this / "d/sub/a.txt", "a");
    write_file(*this / "index/index.sqlite", "x");
    write_file(*this / "note.txt", "n");
    coverage.add((*this / "d").native(), {});
    coverage.add((*this / "note.txt").native(), {});
  }
  /// Whether the watch sees `change`. Events are there as soon as a call that changes a file returns.
  bool sees(const std::function<void()>& change) {
    Watch watch(coverage, *this / "index");
    change();
    int calls = 0;
    return watch.wait(kQuiet, [&] { return ++calls > 20; });
  }
  Coverage coverage;
};

}  // namespace

TEST_CASE_FIXTURE(Watched, "files that are written, made, moved and deleted are seen, at any depth") {
  CHECK(sees([&] { write_file(*this / "d/sub/a.txt", "b"); }));
  CHECK(sees([&] { write_file(*this / "d/new/b.txt", "b"); }));
  CHECK(sees([&] { std::filesystem::rename(*this / "d/new", *this / "d/sub/new"); }));
  CHECK(sees([&] { std::filesystem::remove(*this / "d/sub/a.txt"); }));
  CHECK(sees([&] { write_file(*this / "note.txt", "m"); }));
}

TEST_CASE_FIXTURE(Watched, "a root that goes and comes back is seen") {
  CHECK(sees([&] { std::filesystem::rename(*this / "d", *this / "away"); }));
  CHECK(sees([&] { std::filesystem::rename(*this / "away", *this / "d"); }));
}

TEST_CASE_FIXTURE(Watched, "the index itself, and files beside a root, are not watched") {
  CHECK_FALSE(sees([] {}));
  CHECK_FALSE(sees([&] { write_file(*this / "index/index.sqlite", "y"); }));
  CHECK_FALSE(sees([&] { write_file(*this / "other.txt", "y"); }));
}
