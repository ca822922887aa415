// Index folders that are damaged, half made, hostile, replaced under a writer, or on a full disk.
#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "rag/database/sqlite.h"
#include "rag/index/index_writer.h"
#include "rag/index/schema.h"
#include "rag/index/two_files.h"
#include "support/errors.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

void change(const TempFolder& folder, const std::string& sql) {
  Database(schema::database_path(folder / "index"), Database::Mode::write).execute(sql);
}

std::optional<Code> code_of(const std::function<void()>& use) {
  const auto error = error_of(use);
  return error ? std::optional(error->code()) : std::nullopt;
}

}  // namespace

TEST_CASE_FIXTURE(TwoFiles, "an index whose vectors file is gone or damaged gets its vectors again") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  for (const bool damaged : {false, true}) {
    const auto vectors = schema::vectors_path(*this / "index", damaged ? 2 : 1);
    std::filesystem::remove(vectors);
    if (damaged) write_file(vectors, std::string(100, 'x'));
    const IndexReport report = add(*this, &embedder);
    CHECK(report.vectors_computed == 3);
    CHECK(report.files_unchanged == 2);
    CHECK(is_clean(*this));
  }
  CHECK(add(*this, &embedder).vectors_computed == 0);
}

TEST_CASE_FIXTURE(TwoFiles, "an index whose token weights are gone or damaged gets its vectors and weights again") {
  CountingEmbedder embedder;
  embedder.has_heads = true;
  add(*this, &embedder);
  const auto hits = [&] {
    return open_store(*this / "index", Budget::unlimited())->search_learned(word_weights("camels"), 10).size();
  };
  const size_t expected = hits();
  CHECK(expected > 0);
  for (const int64_t number : {1, 2}) {
    const auto weights = schema::postings_path(*this / "index", number);
    std::filesystem::remove(weights);
    if (number == 2) write_file(weights, std::string(100, 'x'));
    CHECK_THROWS_AS(hits(), Error);
    CHECK(add(*this, &embedder).vectors_computed == 3);
    CHECK(hits() == expected);
    CHECK(is_clean(*this));
    CHECK_FALSE(std::filesystem::exists(weights));
  }
  CHECK(add(*this, &embedder).vectors_computed == 0);
}

TEST_CASE_FIXTURE(TwoFiles, "a changed byte of the token weights is found by the check") {
  CountingEmbedder embedder;
  embedder.has_heads = true;
  add(*this, &embedder);
  CHECK(check_index(*this / "index").token_weights_checked > 10);
  const auto weights = schema::postings_path(*this / "index", 1);
  std::string bytes = read_file(weights);
  bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 1);
  write_file(weights, bytes);
  const CheckReport report = check_index(*this / "index");
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0] == "vectors: block 0 of the token weights is damaged");
}

TEST_CASE_FIXTURE(TwoFiles, "counts of token weights that are not those of the file are a damaged index") {
  CountingEmbedder embedder;
  embedder.has_heads = true;
  add(*this, &embedder);
  for (const char* key : {"postings_bytes", "postings_id"})
    for (const char* value : {"0", "-1", "72", "9223372036854775807", "'x'"}) {
      const TempFolder copy;
      std::filesystem::copy(*this / "index", copy / "index");
      change(copy, "UPDATE meta SET value=" + std::string(value) + " WHERE key='" + key + "'");
      CAPTURE(key);
      CAPTURE(value);
      CHECK(code_of([&] { open_store(copy / "index", Budget::unlimited()); }) == Code::corrupt_file);
      CHECK_FALSE(check_index(copy / "index").problems.empty());
    }
}

TEST_CASE_FIXTURE(TwoFiles, "only an index with token weights has a version that programs of before refuse") {
  const auto version = [&] {
    return Database(schema::database_path(*this / "index"), Database::Mode::read).integer("PRAGMA user_version");
  };
  CountingEmbedder embedder, plain("another");
  add(*this, &plain);
  CHECK(version() == schema::kVersion);
  embedder.has_heads = true;
  IndexOptions options = options_with(&embedder);
  options.re_embed = true;
  IndexWriter(*this / "index", options).add({});
  CHECK(version() == schema::kVersionWithWeights);
  add(*this, &embedder);
  CHECK(version() == schema::kVersionWithWeights);
  options = options_with(&plain);
  options.re_embed = true;
  IndexWriter(*this / "index", options).add({});
  CHECK(version() == schema::kVersion);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(TwoFiles, "a writer whose folder was replaced stops, and takes nothing from the new one") {
  CountingEmbedder embedder, second("another");
  IndexOptions options = options_with(&embedder);
  options.progress = [&](const IndexProgress& progress) {
    if (progress.stage != IndexProgress::Stage::embedding || progress.done > 0) return;
    std::filesystem::remove_all(*this / "index");
    add(*this, &second);
  };
  CHECK_THROWS_WITH_AS(IndexWriter(*this / "index", options).add({(*this / "docs").native()}),
                       doctest::Contains("replaced while"), Error);
  CHECK(is_clean(*this));
  CHECK(open_store(*this / "index", Budget::unlimited())->embedder_fingerprint() == "another");
}

TEST_CASE_FIXTURE(TwoFiles, "only files that an index names itself are removed as old") {
  write_file(*this / "index/vectors-old.i8", "x");
  write_file(*this / "index/vectors-7.i8", "x");
  CountingEmbedder embedder;
  add(*this, &embedder);
  CHECK(std::filesystem::exists(*this / "index/vectors-old.i8"));
  CHECK_FALSE(std::filesystem::exists(*this / "index/vectors-7.i8"));
}

TEST_CASE_FIXTURE(TwoFiles, "a table that computes its rows is refused before it is read") {
  const std::string endless =
      "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT CAST(x AS TEXT) AS key, x AS value FROM r";
  const std::vector<std::string> attacks = {
      "ALTER TABLE meta RENAME TO m0; CREATE VIEW meta AS " + endless,
      "ALTER TABLE chunks RENAME TO c0; CREATE VIEW chunks AS SELECT zeroblob(900000000) AS text FROM c0",
      "CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM files; END",
      "CREATE VIRTUAL TABLE other USING fts5(x)",
      "DROP TABLE chunk_references",
  };
  for (const std::string& sql : attacks) {
    CAPTURE(sql);
    std::filesystem::remove_all(*this / "index");
    add(*this, nullptr);
    change(*this, sql);
    CHECK(code_of([&] { open_store(*this / "index", Budget::unlimited()); }) == Code::corrupt_file);
    CHECK(code_of([&] { read_status(*this / "index"); }) == Code::corrupt_file);
    CHECK(code_of([&] { add(*this, nullptr); }) == Code::corrupt_file);
    CHECK_FALSE(check_index(*this / "index").problems.empty());
  }
}

TEST_CASE_FIXTURE(TwoFiles, "a number of vectors that no file can have is a damaged index, and repaired") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  for (const char* rows : {"2305843009213693952", "4611686018427387904", "9223372036854775807", "-1"}) {
    CAPTURE(std::string(rows));
    change(*this, std::string("UPDATE meta SET value=") + rows + " WHERE key='vector_rows'");
    CHECK(code_of([&] { open_store(*this / "index", Budget::unlimited()); }) == Code::corrupt_file);
    CHECK_FALSE(check_index(*this / "index").problems.empty());
  }
  CHECK(add(*this, &embedder).vectors_computed == 3);
}

TEST_CASE("a statement that does not come to an end, and a value that is too large, are errors of the file") {
  TempFolder folder;
  Database(folder / "x.sqlite", Database::Mode::write)
      .execute(
          "CREATE TABLE one(x); CREATE VIEW r AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) "
          "SELECT x FROM r");
  const Database reader(folder / "x.sqlite", Database::Mode::read);
  CHECK(code_of([&] { reader.integer("SELECT count(*) FROM r"); }) == Code::corrupt_file);
  CHECK(code_of([&] { reader.text("SELECT zeroblob(900000000)"); }) == Code::corrupt_file);
}

TEST_CASE_FIXTURE(TwoFiles, "values that break a rule of the tables are errors of the file") {
  add(*this, nullptr);
  Database database(schema::database_path(*this / "index"), Database::Mode::write);
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  database.execute("DELETE FROM terms_docsize; UPDATE terms_data SET block=x'00' WHERE id<100");
  const std::optional<Code> code = code_of([&] {
    open_store(*this / "index", Budget::unlimited())->search_sparse({"penguins camels", Language::unknown}, 5);
  });
  CHECK(code.value_or(Code::corrupt_file) == Code::corrupt_file);
  CHECK_FALSE(check_index(*this / "index").problems.empty());
}

TEST_CASE_FIXTURE(TwoFiles, "an index that no run has committed to is no index, and the nearest one is named") {
  add(*this, nullptr);
  write_file(*this / "half/index.sqlite", "");
  for (const bool has_header : {false, true}) {
    if (has_header) Database(*this / "half/index.sqlite", Database::Mode::write);  // killed before its first commit
    CHECK(code_of([&] { require_index(*this / "half"); }) == Code::missing);
    CHECK(error_of([&] { require_index(*this / "half"); })->hint().find("did you mean") == std::string::npos);
    CHECK(code_of([&] { open_store(*this / "half", Budget::unlimited()); }) == Code::missing);
    CHECK(code_of([&] { read_status(*this / "half"); }) == Code::missing);
    CHECK(code_of([&] { check_index(*this / "half"); }) == Code::missing);
  }
  CHECK(error_of([&] { require_index(*this / "idnex"); })->hint().find("did you mean --index") == 0);
  CHECK(error_of([&] { require_index(*this / "somewhere"); })->hint().find("run rag-index add") == 0);
  CHECK_NOTHROW(require_index(*this / "index"));
}

TEST_CASE_FIXTURE(TwoFiles, "an index is read where nothing can be written, as on a full disk") {
  add(*this, nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Every write to a file fails from here on.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit nothing{0, 0};
    bool read = ::setrlimit(RLIMIT_FSIZE, &nothing) == 0;
    try {
      read &= open_store(*this / "index", Budget::unlimited())->chunk_count() == 3;
    } catch (...) {
      read = false;
    }
    ::_exit(read ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
