// What an index covers, run after run: roots that come and go, removed and excluded paths, files that were skipped.
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "rag/database/sqlite.h"
#include "rag/index/index_writer.h"
#include "rag/index/schema.h"
#include "rag/index/two_files.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

std::string at(const TempFolder& folder, std::string_view name) {
  return (folder / name).native();
}

IndexReport add_to(const TempFolder& folder, const std::vector<std::string>& arguments) {
  return IndexWriter(folder / "index", options_with(nullptr)).add(arguments);
}

IndexReport remove_from(const TempFolder& folder, const std::vector<std::string>& arguments) {
  return IndexWriter(folder / "index", options_with(nullptr)).remove(arguments);
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(TwoFiles, "a root that is absent or empty keeps its documents, is named, and is found again") {
  add(*this, nullptr);
  std::filesystem::rename(*this / "docs", *this / "elsewhere");
  for (const bool mount_point : {false, true}) {
    if (mount_point) std::filesystem::create_directory(*this / "docs");
    for (const Paths& arguments : {Paths(), Paths{at(*this, "docs")}}) {
      const IndexReport report = add_to(*this, arguments);
      CHECK(report.documents == 2);
      CHECK(report.files_removed == 0);
      CHECK(report.unread_roots == Paths{at(*this, "docs")});
      CHECK(read_status(*this / "index").skipped.size() == 1);
    }
  }
  std::filesystem::remove(*this / "docs");
  std::filesystem::rename(*this / "elsewhere", *this / "docs");
  std::filesystem::remove(*this / "docs/penguins.txt");
  const IndexReport back = add_to(*this, {});
  CHECK(back.unread_roots.empty());
  CHECK(back.files_removed == 1);
  CHECK(read_status(*this / "index").skipped.empty());
}

TEST_CASE_FIXTURE(TwoFiles, "a link to nothing keeps the documents that it led to") {
  write_file(*this / "drive/far.txt", "A file on a drive.");
  std::filesystem::create_symlink(*this / "drive", *this / "docs/drive");
  CHECK(add(*this, nullptr).documents == 3);
  std::filesystem::rename(*this / "drive", *this / "away");
  const IndexReport report = add(*this, nullptr);
  CHECK(report.documents == 3);
  CHECK(report.skipped.size() == 1);
  CHECK(report.unread_roots.empty());
  std::filesystem::remove(*this / "docs/drive");
  CHECK(add(*this, nullptr).documents == 2);
}

TEST_CASE_FIXTURE(TwoFiles, "a file that was added by its own path outlives scans of its folder") {
  write_file(*this / "docs/code.py", "print('hello')");
  const std::string code = at(*this, "docs/code.py"), docs = at(*this, "docs");
  for (const Paths& arguments : {Paths{code}, {docs}, {}, {code, docs}, {docs, code}, {docs}, {code}}) {
    const IndexReport report = add_to(*this, arguments);
    CHECK(report.files_removed == 0);
    CHECK(report.files_ignored == 0);
  }
  CHECK(read_status(*this / "index").files == 3);
  CHECK(found(*this, "hello") == Paths{"code.py"});
}

TEST_CASE_FIXTURE(TwoFiles, "a removed path stays out until it is added by name") {
  add(*this, nullptr);
  const std::string penguins = at(*this, "docs/penguins.txt");
  CHECK(remove_from(*this, {penguins}).files_removed == 1);
  CHECK(add_to(*this, {}).documents == 1);
  CHECK(add(*this, nullptr).documents == 1);
  CHECK(add_to(*this, {penguins}).documents == 2);
  CHECK(add_to(*this, {}).documents == 2);
  remove_from(*this, {at(*this, "docs")});
  CHECK(add_to(*this, {}).documents == 0);
  CHECK(add(*this, nullptr).documents == 2);
}

TEST_CASE_FIXTURE(TwoFiles, "a command with one wrong path changes nothing") {
  add(*this, nullptr);
  CHECK_THROWS_AS(remove_from(*this, {at(*this, "docs/penguins.txt"), "/nowhere"}), Error);
  write_file(*this / "more/a.txt", "More.");
  CHECK_THROWS_AS(add_to(*this, {at(*this, "more"), at(*this, "other")}), Error);
  const IndexStatus status = read_status(*this / "index");
  CHECK(status.files == 2);
  CHECK(status.coverage.roots.size() == 1);
}

TEST_CASE_FIXTURE(TwoFiles, "an exclusion holds for every root and every later run, until it is ended") {
  write_file(*this / "more/penguins.txt", "More penguins.");
  add(*this, nullptr);
  add_to(*this, {at(*this, "more")});
  IndexOptions options = options_with(nullptr);
  options.exclude = {"penguins.*"};
  const IndexReport report = IndexWriter(*this / "index", options).add({at(*this, "docs")});
  CHECK(report.files_removed == 2);
  CHECK(report.paths_excluded == 2);
  CHECK(add_to(*this, {}).documents == 1);
  CHECK(read_status(*this / "index").coverage.excludes == Paths{"penguins.*"});
  options.exclude.clear();
  options.no_exclude = {"penguins.*"};
  CHECK(IndexWriter(*this / "index", options).add({}).documents == 3);
  CHECK_THROWS_AS(IndexWriter(*this / "index", options).add({}), Error);
}

TEST_CASE_FIXTURE(TwoFiles, "how a root was scanned is remembered with it") {
  write_file(*this / "docs/.hidden.txt", "Hidden.");
  write_file(*this / "docs/.gitignore", "deserts.md\n");
  CHECK(add(*this, nullptr).documents == 1);
  IndexOptions options = options_with(nullptr);
  options.scan = {true, false};
  CHECK(IndexWriter(*this / "index", options).add({at(*this, "docs")}).documents == 3);
  CHECK(add_to(*this, {}).documents == 3);
  CHECK(add(*this, nullptr).documents == 1);
}

TEST_CASE("a file with bad records stays on record until it is mended") {
  TempFolder folder;
  const std::string good = "{\"_id\":\"a\",\"text\":\"The lamp is lit.\"}\n";
  write_file(folder / "docs/bad.jsonl", good + "not json\n");
  write_file(folder / "docs/good.jsonl", good);
  for (int run = 0; run < 3; ++run) {
    const IndexReport report = add(folder, nullptr);
    CHECK(report.skipped.size() == 1);
    CHECK(report.documents == 2);
    CHECK(report.unread_roots.empty());
    CHECK(read_status(folder / "index").skipped.size() == 1);
  }
  write_file(folder / "docs/bad.jsonl", good);
  CHECK(add(folder, nullptr).skipped.empty());
  CHECK(read_status(folder / "index").skipped.empty());
}

TEST_CASE("a run that is cut off loses no reason of a skipped file, and leaves none with a mended one") {
  TempFolder folder;
  const std::string good = "{\"_id\":\"a\",\"text\":\"The lamp is lit.\"}\n", bad = good + "not json\n";
  constexpr int kFiles = 300;  // more than a batch
  for (int i = 100; i < 100 + kFiles; ++i) write_file(folder / "docs" / (std::to_string(i) + ".jsonl"), bad);
  add(folder, nullptr);
  for (int i = 100; i < 100 + kFiles - 1; ++i)
    write_file(folder / "docs" / (std::to_string(i) + ".jsonl"), good + good);
  IndexOptions options = options_with(nullptr);
  options.progress = [](const IndexProgress& progress) {
    if (progress.done == kFiles - 1) throw Error(Code::io, "interrupted");
  };
  CHECK_THROWS_AS(IndexWriter(folder / "index", options).add({at(folder, "docs")}), Error);
  CHECK(add(folder, nullptr).skipped.size() == 1);
  CHECK(read_status(folder / "index").skipped.size() == 1);
}

TEST_CASE_FIXTURE(TwoFiles, "a named file that was not indexed is distinguished from a skipped file of a folder") {
  write_file(*this / "docs/paper.doc", "paper");
  CHECK(add(*this, nullptr).unread_roots.empty());
  const std::string paper = at(*this, "docs/paper.doc");
  for (const Paths& arguments : {Paths{paper}, {}}) CHECK(add_to(*this, arguments).unread_roots == Paths{paper});
}

TEST_CASE_FIXTURE(TwoFiles, "files of unsupported kinds are counted by extension") {
  for (const char* name : {"docs/a.py", "docs/b.PY", "docs/Makefile", "docs/c.log"}) write_file(*this / name, "x");
  const IndexReport report = add(*this, nullptr);
  CHECK(report.ignored == std::map<std::string, int64_t>{{"", 1}, {".log", 1}, {".py", 2}});
  CHECK(report.files_ignored == 4);
}

TEST_CASE_FIXTURE(TwoFiles, "files that moved are followed without being read") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  remove_from(*this, {at(*this, "docs/deserts.md")});
  const auto relocate = [&] {
    return IndexWriter(*this / "index", options_with(nullptr)).relocate(at(*this, "docs"), at(*this, "texts"));
  };
  CHECK_THROWS_AS(relocate(), Error);  // there is nothing yet
  std::filesystem::rename(*this / "docs", *this / "texts");
  CHECK(relocate().files_relocated == 1);
  CHECK(is_clean(*this));
  const IndexReport report = IndexWriter(*this / "index", options_with(&embedder)).add({});
  CHECK(report.files_unchanged == 1);
  CHECK(report.files_added + report.files_removed == 0);
  CHECK(found(*this, "penguins") == Paths{"penguins.txt"});
  CHECK_THROWS_AS(relocate(), Error);
}

TEST_CASE_FIXTURE(TwoFiles, "the first report of a stage comes before its work") {
  CountingEmbedder embedder;
  IndexOptions options = options_with(&embedder);
  using Stage = IndexProgress::Stage;
  std::vector<std::pair<Stage, int64_t>> reports;
  options.progress = [&](const IndexProgress& progress) { reports.emplace_back(progress.stage, progress.done); };
  IndexWriter(*this / "index", options).add({at(*this, "docs")});
  const std::vector<std::pair<Stage, int64_t>> expected = {
      {Stage::reading, 0}, {Stage::reading, 1}, {Stage::reading, 2}, {Stage::embedding, 0}, {Stage::embedding, 3}};
  CHECK(reports == expected);
}

TEST_CASE_FIXTURE(TwoFiles, "an index of before exclusions were recorded is read and updated") {
  add(*this, nullptr);
  Database(schema::database_path(*this / "index"), Database::Mode::write).execute("DROP TABLE coverage");
  CHECK(read_status(*this / "index").coverage.roots.size() == 1);
  CHECK(found(*this, "penguins").size() == 1);
  CHECK(add_to(*this, {}).files_unchanged == 2);
}

TEST_CASE_FIXTURE(TwoFiles, "the status names the embedder's pack") {
  CountingEmbedder embedder;
  IndexOptions options = options_with(&embedder);
  options.embedder_name = "words.pack";
  IndexWriter(*this / "index", options).add({at(*this, "docs")});
  CHECK(read_status(*this / "index").embedder_name == "words.pack");
}
