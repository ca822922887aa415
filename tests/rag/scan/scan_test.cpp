#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "rag/scan/coverage.h"
#include "rag/scan/sources.h"
#include "support/temp_folder.h"

using namespace frugal;
using frugal::testing::TempFolder;
using frugal::testing::write_file;

namespace {

struct Found {
  std::vector<std::string> files, named, unreachable, empty_roots, excluded;
};

using Paths = std::vector<std::string>;

struct Tree : TempFolder {
  explicit Tree(const std::vector<std::string>& files = {"d/a.txt", "d/b.txt", "d/sub/c.txt"}) {
    for (const std::string& file : files) write_file(*this / file, file);
  }
  std::string at(const std::string& name) const { return (*this / name).native(); }

  Found scan(const Coverage& coverage, const std::string& name) const {
    Found found;
    const auto short_name = [&](const std::filesystem::path& each) {
      return each.native().substr(path().native().size() + 1);
    };
    SourceSink sink;
    sink.file = [&](const auto& file, bool named) { (named ? found.named : found.files).push_back(short_name(file)); };
    sink.skipped = [](const auto&, const auto&) {};
    sink.unreachable = [&](const auto& each, const auto&) { found.unreachable.push_back(short_name(each)); };
    sink.empty_root = [&](const auto& each) { found.empty_roots.push_back(short_name(each)); };
    sink.excluded = [&](const auto& each) { found.excluded.push_back(short_name(each)); };
    frugal::scan(coverage, at(name), at("index"), sink);
    return found;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Tree, "a folder's files come by name, without hidden ones and without the index") {
  write_file(at("d/.hidden.txt"), "x");
  Coverage coverage;
  coverage.add(at("d"), {});
  CHECK(scan(coverage, "d").files == Paths{"d/a.txt", "d/b.txt", "d/sub/c.txt"});
  coverage.add(at("d"), {true, true});
  CHECK(scan(coverage, "d").files == Paths{"d/.hidden.txt", "d/a.txt", "d/b.txt", "d/sub/c.txt"});
  write_file(at("index/index.txt"), "x");
  Coverage all;
  all.add(path().native(), {});
  const auto files = scan(all, "").files;
  CHECK(std::find(files.begin(), files.end(), "index/index.txt") == files.end());
}

TEST_CASE_FIXTURE(Tree, "a removed path stays out until it is added, and a root inside of it stays in") {
  Coverage coverage;
  coverage.add(at("d"), {});
  coverage.remove(at("d/sub"));
  const Found found = scan(coverage, "d");
  CHECK(found.files == Paths{"d/a.txt", "d/b.txt"});
  CHECK(found.excluded == Paths{"d/sub"});
  coverage.add(at("d"), {});
  CHECK(scan(coverage, "d").files == Paths{"d/a.txt", "d/b.txt"});
  coverage.add(at("d/sub/c.txt"), {});
  CHECK(scan(coverage, "d").named == Paths{"d/sub/c.txt"});
  coverage.add(at("d/sub"), {});
  CHECK(scan(coverage, "d/sub").named == Paths{"d/sub/c.txt"});
  coverage.remove(at("d"));
  CHECK(coverage == Coverage{});
}

TEST_CASE_FIXTURE(Tree, "a file that is a root is named, once, whatever the folders above it leave out") {
  Coverage coverage;
  coverage.excludes = {"*.txt"};
  coverage.add(at("d"), {});
  coverage.add(at("d/a.txt"), {});
  for (const char* path : {"d", "d/a.txt"}) {
    CHECK(scan(coverage, path).named == Paths{"d/a.txt"});
    CHECK(scan(coverage, path).files.empty());
  }
}

TEST_CASE_FIXTURE(Tree, "a path inside a root has the files that the root's own scan finds there") {
  write_file(at("d/.gitignore"), "b.txt\nsub/ignored/\n");
  write_file(at("d/sub/ignored/x.txt"), "x");
  write_file(at("d/.secret/y.txt"), "y");
  Coverage coverage;
  coverage.add(at("d"), {});
  CHECK(scan(coverage, "d/sub").files == Paths{"d/sub/c.txt"});
  CHECK(scan(coverage, "d/a.txt").files == Paths{"d/a.txt"});
  for (const char* path :
       {"d/b.txt", "d/sub/ignored", "d/sub/ignored/x.txt", "d/.secret", "d/.secret/y.txt", "d/gone", "d/a.txt/x"})
    CHECK(scan(coverage, path).files.empty());
}

TEST_CASE_FIXTURE(Tree, "ignore files hold for the folders below them, the inner one before the outer") {
  write_file(at("d/.gitignore"), "*.txt\n");
  write_file(at("d/sub/.gitignore"), "!c.txt\n");
  write_file(at("d/e.md"), "x");
  Coverage coverage;
  coverage.add(at("d"), {});
  const Found found = scan(coverage, "d");
  CHECK(found.files == Paths{"d/e.md", "d/sub/c.txt"});
  CHECK(found.excluded == Paths{"d/a.txt", "d/b.txt"});
  write_file(at("d/sub/.ignore"), "*.txt\n");
  CHECK(scan(coverage, "d").files == Paths{"d/e.md"});
  coverage.add(at("d"), {false, false});
  CHECK(scan(coverage, "d").files.size() == 4);
}

TEST_CASE_FIXTURE(Tree, "inside a repository, the ignore files above a root hold too") {
  write_file(at(".gitignore"), "d/sub/\n");
  Coverage coverage;
  coverage.add(at("d"), {});
  CHECK(scan(coverage, "d").files.size() == 3);
  write_file(at(".git/HEAD"), "x");
  CHECK(scan(coverage, "d").files == Paths{"d/a.txt", "d/b.txt"});
}

TEST_CASE_FIXTURE(Tree, "patterns that the index excludes go before ignore files") {
  write_file(at("d/.ignore"), "a.txt\n");
  Coverage coverage;
  coverage.add(at("d"), {});
  coverage.excludes = {"*.txt", "!sub/*.txt", "!a.txt"};
  CHECK(scan(coverage, "d").files == Paths{"d/a.txt", "d/sub/c.txt"});
}

TEST_CASE_FIXTURE(Tree, "what cannot be looked at is told from what is gone") {
  Coverage coverage;
  coverage.add(at("d"), {});
  std::filesystem::create_symlink(at("nowhere"), at("d/link"));
  CHECK(scan(coverage, "d").unreachable == Paths{"d/link"});
  coverage.add(at("away"), {});
  CHECK(scan(coverage, "away").unreachable == Paths{"away"});
  std::filesystem::create_directory(at("away"));
  CHECK(scan(coverage, "away").empty_roots == Paths{"away"});
  if (::geteuid() == 0) return;  // for root, every folder can be read
  ::chmod(at("d/sub").c_str(), 0);
  CHECK(scan(coverage, "d").unreachable == Paths{"d/link", "d/sub"});
  CHECK(scan(coverage, "d/sub/c.txt").unreachable == Paths{"d/sub/c.txt"});
  ::chmod(at("d/sub").c_str(), 0755);
}

TEST_CASE("a coverage that moves keeps its roots and what was removed") {
  Coverage coverage;
  coverage.add("/old/d", {true, false});
  coverage.add("/older", {});
  coverage.remove("/old/d/x");
  coverage.relocate("/old", "/new/place");
  CHECK(coverage.roots.at("/new/place/d") == RootOptions{true, false});
  CHECK(coverage.roots.contains("/older"));
  CHECK(coverage.removed == std::set<std::string>{"/new/place/d/x"});
  CHECK(coverage.roots_above("/new/place/d/x") == Paths{"/new/place/d"});
  CHECK(is_under("/a/b", "/"));
  CHECK_FALSE(is_under("/ab", "/a"));
}
