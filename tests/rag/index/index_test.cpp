#include "rag/index/index_writer.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/units.h"
#include "memory/budget.h"
#include "rag/database/sqlite.h"
#include "rag/filter/chunk_filter.h"
#include "rag/index/schema.h"
#include "rag/index/two_files.h"
#include "rag/index_fakes.h"
#include "rag/text/language.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

// One file of `parts` headings, each with a word of its own below it.
struct ManyParts : TempFolder {
  explicit ManyParts(int parts) {
    std::string text;
    for (int i = 0; i < parts; ++i)
      text += "# Part " + std::to_string(i) + "\n\nWord" + std::to_string(i) + " is here.\n\n";
    write_file(*this / "docs/long.md", text);
  }
};

}  // namespace

TEST_CASE_FIXTURE(TwoFiles, "added files are found by words, stems and vectors") {
  CountingEmbedder embedder;
  const IndexReport report = add(*this, &embedder);
  CHECK(report.files_added == 2);
  CHECK(report.chunks == 3);
  CHECK(embedder.texts == 3);
  CHECK(found(*this, "which penguin is swimming?").at(0) == "penguins.txt");
  const auto store = open_store(*this / "index", Budget::unlimited());
  CHECK(store->embedder_fingerprint() == embedder.fingerprint());
  const auto query = testing::bag_of_words("Deserts\n# Deserts\n\nCamels cross the sand.");
  const auto hits = store->search_dense(query, 3);
  REQUIRE(hits.size() == 3);
  const std::vector<int64_t> best = {hits[0].id};
  CHECK(store->fetch(best).at(0).heading == "Deserts");
  const std::vector<std::string> words = {"camels", "whales"};
  CHECK(store->count_chunks(words, Language::english) == std::vector<int64_t>{1, 0});
  CHECK(hits[0].score == doctest::Approx(1).epsilon(0.02));  // the chunk with the same text
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(TwoFiles, "a second run does nothing; later runs add and remove only what changed") {
  CountingEmbedder embedder;
  const uint64_t first = add(*this, &embedder).generation;
  CHECK(add(*this, &embedder).generation == first);
  CHECK(embedder.texts == 3);
  write_file(*this / "docs/deserts.md", "# Deserts\n\nCamels cross the sand.\n\n## Rain\n\nIt never rains at all.\n");
  const IndexReport changed = add(*this, &embedder);
  CHECK(changed.chunks_added == 1);
  CHECK(changed.chunks_removed == 1);
  CHECK(embedder.texts == 4);
  std::filesystem::remove(*this / "docs/penguins.txt");
  CHECK(add(*this, &embedder).files_removed == 1);
  CHECK(found(*this, "penguins").empty());
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(TwoFiles, "a renamed file keeps its vectors") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  std::filesystem::rename(*this / "docs/deserts.md", *this / "docs/sand.md");
  const IndexReport report = add(*this, &embedder);
  CHECK(report.files_added == 1);
  CHECK(report.files_removed == 1);
  CHECK(report.vectors_computed == 0);
  CHECK(found(*this, "camels") == std::vector<std::string>{"sand.md"});
}

TEST_CASE("an interrupted run is continued by the next") {
  const ManyParts folder(300);
  CountingEmbedder embedder;
  embedder.stop_after = 130;
  CHECK_THROWS_AS(add(folder, &embedder), Error);
  CHECK(embedder.texts == 128);
  CHECK(is_clean(folder));
  embedder.stop_after = -1;
  CHECK(add(folder, &embedder).vectors_computed == 300 - 128);
  CHECK(is_clean(folder));
}

TEST_CASE_FIXTURE(TwoFiles, "an index without vectors gets them from a later run") {
  CHECK(add(*this, nullptr).chunks_without_vector > 0);
  CHECK(open_store(*this / "index", Budget::unlimited())
            ->search_dense(std::vector<float>(testing::kFakeDimension, 0.0f), 3)
            .empty());
  CountingEmbedder embedder;
  const IndexReport report = add(*this, &embedder);
  CHECK(report.chunks_without_vector == 0);
  CHECK(report.vectors_computed == report.chunks);
}

TEST_CASE_FIXTURE(TwoFiles, "another embedder is refused, unless its vectors replace the old ones") {
  CountingEmbedder one("one"), two("two");
  add(*this, &one);
  try {
    add(*this, &two);
    FAIL("mixed vectors of two embedders");
  } catch (const Error& error) {
    CHECK(error.code() == Code::mismatch);
    CHECK(error.hint().find("--re-embed") != std::string::npos);
  }
  const auto reader = open_store(*this / "index", Budget::unlimited());
  IndexOptions options = options_with(&two);
  options.re_embed = true;
  CHECK(IndexWriter(*this / "index", options).add({}).vectors_computed == 3);
  CHECK(reader->search_dense(testing::bag_of_words("camels"), 3).size() == 3);  // still of the generation it opened
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(TwoFiles, "a reader keeps the generation that it opened") {
  add(*this, nullptr);
  const auto reader = open_store(*this / "index", Budget::unlimited());
  const uint64_t generation = reader->generation();
  IndexWriter(*this / "index", options_with(nullptr)).remove({(*this / "docs/penguins.txt").native()});
  CHECK(reader->search_sparse({"penguins", Language::unknown}, 5).size() == 1);
  CHECK(reader->generation() == generation);
  CHECK(reader->chunk_count() == 3);
  CHECK(reader->chunk_count() == reader->info().chunks);
  CHECK(open_store(*this / "index", Budget::unlimited())->chunk_count() < 3);
  CHECK(found(*this, "penguins").empty());
  CHECK_THROWS_AS(IndexWriter(*this / "index", options_with(nullptr)).remove({"/nowhere"}), Error);
}

TEST_CASE("an index is mapped only if it is at most 1/8 of the budget, and searched either way") {
  const ManyParts folder(4000);
  add(folder, nullptr);
  const uint64_t bytes = std::filesystem::file_size(schema::database_path(folder / "index"));
  REQUIRE(bytes > 512 * kKiB);
  constexpr uint64_t kPageCache = 2 * kMiB;
  for (const bool whole : {true, false}) {
    Budget budget(8 * bytes - (whole ? 0 : 1));
    const auto store = open_store(folder / "index", budget);
    CHECK(budget.used_bytes(MemoryTag::index) == (whole ? bytes + kPageCache : kPageCache));
    const auto hits = store->search_sparse({"word3777", Language::unknown}, 5);
    REQUIRE(hits.size() == 1);
    const std::vector<int64_t> best = {hits[0].id};
    CHECK(store->fetch(best).at(0).heading == "Part 3777");
  }
}

TEST_CASE_FIXTURE(TwoFiles, "a second writer is refused") {
  const IndexWriter first(*this / "index", options_with(nullptr));
  CHECK_THROWS_WITH_AS(IndexWriter(*this / "index", options_with(nullptr)),
                       doctest::Contains("in use by another writer"), Error);
}

TEST_CASE_FIXTURE(TwoFiles, "files that cannot be read are reported as skipped and add no documents") {
  write_file(*this / "docs/image.txt", std::string_view("\x89PNG\0\0", 6));
  write_file(*this / "docs/paper.doc", "paper");
  write_file(*this / "docs/.hidden.txt", "secret");
  write_file(*this / "docs/code.cpp", "int main() {}");
  std::filesystem::create_directory_symlink(*this / "docs", *this / "docs/loop");
  const IndexReport report = add(*this, nullptr);
  REQUIRE(report.skipped.size() == 2);
  CHECK(report.skipped[0].reason.find("NUL byte") != std::string::npos);
  CHECK(report.skipped[1].reason == "doc: a format of Office 97: save the file as docx");
  CHECK(report.files_ignored == 1);
  CHECK(report.documents == 2);
  CHECK(read_status(*this / "index").skipped.size() == 2);
}

TEST_CASE("records keep their ids, and a reference finds the record of its article") {
  TempFolder folder;
  write_file(folder / "docs/laws.jsonl",
             "{\"_id\":\"cp-72\",\"title\":\"Código Penal, art. 72\",\"text\":\"Art. 72. No concurso de crimes.\"}\n"
             "{\"_id\":\"cp-75\",\"title\":\"Código Penal, art. 75\",\"text\":\"Art. 75. O tempo de pena. § 1º Quando "
             "for.\"}\n"
             "{\"_id\":\"cdc-75\",\"title\":\"CDC, art. 75\",\"text\":\"Art. 75. Quem concorrer.\"}\n");
  add(folder, nullptr);
  const auto store = open_store(folder / "index", Budget::unlimited());
  const auto reference = find_provisions("art. 75, § 1º, do CP", store->laws()).at(0).reference;
  const auto hits = store->search_provision(reference, 5);
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].score == 1.0f);
  const std::vector<int64_t> ids = {hits[0].id};
  CHECK(store->fetch(ids).at(0).external_id == "cp-75");
  CHECK(store->search_provision({"br/codigo-penal", "73", "", "", ""}, 5).empty());
  CHECK(store->search_provision({"", "75", "", "", ""}, 5).size() == 2);
}

TEST_CASE("the line of a record is right after lines before it were added or removed") {
  TempFolder folder;
  const std::string one = "{\"_id\":\"a\",\"text\":\"The lamp is lit.\"}\n";
  const std::string two = "{\"_id\":\"b\",\"text\":\"The keeper sleeps.\"}\n";
  const auto line_of = [&](std::string_view id) {
    add(folder, nullptr);
    const auto store = open_store(folder / "index", Budget::unlimited());
    for (const ScoredChunk& hit : store->search_sparse({"lamp keeper", Language::english}, 5)) {
      const std::vector<int64_t> ids = {hit.id};
      const Chunk chunk = store->fetch(ids).at(0);
      if (chunk.external_id == id) return chunk.line;
    }
    return int64_t{0};
  };
  write_file(folder / "docs/log.jsonl", one + two);
  CHECK(line_of("a") == 1);
  CHECK(line_of("b") == 2);
  write_file(folder / "docs/log.jsonl", one + "\n\n" + two);
  CHECK(line_of("b") == 4);
  write_file(folder / "docs/log.jsonl", two);
  CHECK(line_of("b") == 1);
}

// Quadratic in the number of records, this would take minutes.
TEST_CASE("thousands of records with one id are all indexed") {
  TempFolder folder;
  std::string csv = "id,name\n";
  for (int i = 0; i < 5000; ++i) csv += "7,anna\n";
  write_file(folder / "docs/people.csv", csv);
  CHECK(add(folder, nullptr).documents == 5000);
  CHECK(add(folder, nullptr).files_unchanged == 1);
}

TEST_CASE("a file that does not fit the memory budget is skipped, with what would do, and the others are read") {
  TempFolder folder;
  write_file(folder / "docs/large.txt", std::string(2'000'000, 'x'));
  write_file(folder / "docs/small.txt", "The lamp is lit.");
  Budget budget(4 * kMiB);
  IndexOptions options = options_with(nullptr);
  options.extract.budget = budget;
  const IndexReport report = IndexWriter(folder / "index", std::move(options)).add({(folder / "docs").native()});
  CHECK(report.documents == 1);
  REQUIRE(report.skipped.size() == 1);
  CHECK(report.skipped[0].reason.find("--memory-budget") != std::string::npos);
  CHECK(budget.peak_bytes() <= 4 * kMiB);
  CHECK(budget.used_bytes() == 0);
}

namespace {

Chunk chunk_with(const TempFolder& folder, const std::string& word) {
  const auto store = open_store(folder / "index", Budget::unlimited());
  const std::vector<ScoredChunk> hits = store->search_sparse({word, Language::english}, 1);
  REQUIRE(!hits.empty());
  const std::vector<int64_t> ids = {hits[0].id};
  return store->fetch(ids).at(0);
}

/// "LINE:BYTES" of the file that `quote` in the chunk with `word` stands for.
std::string in_file(const TempFolder& folder, const std::string& word, std::string_view quote) {
  const Chunk chunk = chunk_with(folder, word);
  const size_t at = chunk.text.find(quote);
  REQUIRE(at != std::string::npos);
  CHECK(chunk.in_file);
  const SourceMap::Place place =
      chunk.source ? chunk.source->find(at, at + quote.size())
                   : SourceMap::Place{chunk.start_byte + at, chunk.start_byte + at + quote.size(), chunk.line};
  return std::to_string(place.line) + ":" + read_file(chunk.path).substr(place.begin, place.end - place.begin);
}

}  // namespace

TEST_CASE("a chunk knows its bytes in files of every kind, also when its record moves") {
  TempFolder folder;
  write_file(folder / "docs/a.txt", "\n\nAnchors are heavy.");
  write_file(folder / "docs/b.html", "<p>x</p>\n<h2>Boats</h2>\n<p>Boats <b>float</b>.</p>\n");
  write_file(folder / "docs/c.csv", "name,text\nx,y\nC,\"cranes \"\"lift\"\"\"\n");
  write_file(folder / "docs/d.jsonl", "{\"_id\": \"d\", \"text\": \"docks \\u0026 piers\"}\n");
  write_file(folder / "docs/e.txt", "\xE9\nElevators are caf\xE9s.");
  add(folder, nullptr);
  CHECK(in_file(folder, "anchors", "Anchors are") == "3:Anchors are");
  CHECK(in_file(folder, "float", "Boats float.") == "3:Boats <b>float</b>.");
  CHECK(in_file(folder, "cranes", "cranes \"lift\"") == "3:cranes \"\"lift\"\"");
  CHECK(in_file(folder, "docks", "docks & piers") == "1:docks \\u0026 piers");
  CHECK(in_file(folder, "elevators", "cafés.") == "2:caf\xE9s.");
  CHECK(is_clean(folder));

  const int64_t id = chunk_with(folder, "docks").id;
  write_file(folder / "docs/c.csv", "name,text\nC,\"cranes \"\"lift\"\"\"\n");
  write_file(folder / "docs/d.jsonl", "\n{\"_id\": \"d\", \"text\": \"docks & piers\"}\n");
  add(folder, nullptr);
  CHECK(in_file(folder, "cranes", "lift") == "2:lift");
  CHECK(in_file(folder, "docks", "docks & piers") == "2:docks & piers");
  CHECK(chunk_with(folder, "docks").id == id);
}

TEST_CASE_FIXTURE(TwoFiles, "an index from before places were stored answers, and says that it does not know them") {
  write_file(*this / "docs/page.html", "<p>Harbours <i>are</i> busy.</p>");
  add(*this, nullptr);
  {
    Database database(schema::database_path(*this / "index"), Database::Mode::write);
    database.execute("DROP TABLE chunk_places; DROP TABLE document_places; UPDATE files SET recipe='of before'");
  }
  const Chunk page = chunk_with(*this, "harbours");
  CHECK_FALSE(page.in_file);
  CHECK(page.place.begin == page.start_byte);
  CHECK(chunk_with(*this, "penguins").in_file);
  add(*this, nullptr);
  CHECK(chunk_with(*this, "harbours").in_file);
}

TEST_CASE_FIXTURE(TwoFiles, "an index of before fields were stored answers; a filter by field says how to mend it") {
  write_file(*this / "docs/law.md", "---\nyear: 2024\n---\nHarbours are busy.");
  add(*this, nullptr);
  {
    Database database(schema::database_path(*this / "index"), Database::Mode::write);
    database.execute("DROP TABLE document_fields; UPDATE files SET recipe='of before'; PRAGMA user_version=1");
  }
  CHECK(found(*this, "harbours").size() == 1);
  const auto select = [&](const ChunkFilter& filter) {
    return open_store(*this / "index", Budget::unlimited())->select(filter).ids().size();
  };
  const ChunkFilter by_year{.where = {parse_condition("year>=2020")}};
  CHECK(select({.phrases = {"harbours are"}, .paths = {"*.md"}}) == 1);
  try {
    select(by_year);
    FAIL("an index without fields was filtered by them");
  } catch (const Error& error) {
    CHECK(error.code() == Code::mismatch);
    CHECK(error.hint().find("rag-index add --index") != std::string::npos);
  }
  CHECK(select({.paths = {"*.txt"}, .where = by_year.where}) == 0);  // a text file has no fields to store
  add(*this, nullptr);
  CHECK(select(by_year) == 1);
  CHECK(is_clean(*this));
}

TEST_CASE("the fields of front matter, columns and members are found, whatever their names") {
  const TempFolder folder;
  write_file(folder / "docs/a.md",
             "---\ntitle: \"A: b\" # c\nTags: [law, 'it''s']\nauthors:\n- Ana\n- Bea\nplace:\n  city: São Paulo\n"
             "summary: |\n  year: 1\nempty:\n---\n# A\n\nzaga\n");
  write_file(folder / "docs/b.csv", "name,Preço\nkepo,10\nmobu,20\n");
  write_file(folder / "docs/c.jsonl",
             "{\"text\": \"tirel\", \"meta\": {\"year\": 2001, \"ok\": true}, \"a'b\\u0000\": \"x\\u0000y\"}\n");
  add(folder, nullptr);
  const auto select = [&](const std::string& condition) {
    const auto store = open_store(folder / "index", Budget::unlimited());
    std::set<std::string> documents;
    for (const Chunk& chunk : store->fetch(store->select({.where = {parse_condition(condition)}}).ids()))
      documents.insert(chunk.document);
    return documents.size();
  };
  for (const char* condition : {"title=a: b", "tags=law", "tags=it's", "authors=bea", "place.city=sao paulo",
                                "preco>15", "name=kepo", "meta.year<2002", "meta.ok=true"}) {
    INFO(condition);
    CHECK(select(condition) == 1);
  }
  CHECK(select(std::string("a'b\0=x\0y", 8)) == 1);
  CHECK(select("year=1") == 0);
  CHECK(select("summary=year: 1") == 0);
}

TEST_CASE_FIXTURE(TwoFiles, "a damaged vectors file is an error, and the check names the row") {
  CountingEmbedder embedder;
  add(*this, &embedder);
  const auto path = schema::vectors_path(*this / "index", 1);
  const std::string good = read_file(path);
  for (const size_t length : {size_t{0}, size_t{63}, size_t{64}, good.size() - 1}) {
    write_file(path, good.substr(0, length));
    CHECK_THROWS_AS(open_store(*this / "index", Budget::unlimited()), Error);
    CHECK_FALSE(check_index(*this / "index").problems.empty());
  }
  for (const size_t offset : {size_t{0}, size_t{8}, size_t{24}, size_t{60}}) {
    std::string bad = good;
    bad[offset] = static_cast<char>(bad[offset] ^ 1);
    write_file(path, bad);
    CHECK_THROWS_AS(open_store(*this / "index", Budget::unlimited()), Error);
  }
  std::string bad = good;
  bad[64 + 5] = static_cast<char>(bad[64 + 5] ^ 1);
  write_file(path, bad);
  CHECK(check_index(*this / "index").problems.at(0) == "vectors: row 0 fails its checksum");
  write_file(path, good);
  CHECK(is_clean(*this));
}

TEST_CASE_FIXTURE(TwoFiles, "the check distinguishes changed files from a damaged index") {
  add(*this, nullptr);
  write_file(*this / "docs/penguins.txt", "Something else.");
  const CheckReport stale = check_index(*this / "index");
  CHECK(stale.problems.empty());
  REQUIRE(stale.stale.size() == 1);
  write_file(*this / "docs/penguins.txt", "Penguins swim in cold oceans and eat fish.");
  Database(schema::database_path(*this / "index"), Database::Mode::write)
      .execute("UPDATE chunks SET text='x' WHERE id=1");
  CHECK_FALSE(check_index(*this / "index").problems.empty());
}

TEST_CASE("standard input is a document of its own") {
  TempFolder folder;
  std::istringstream input("<h1>News</h1><p>The bridge is open.</p>");
  IndexOptions options = options_with(nullptr);
  options.stdin_stream = &input;
  options.stdin_name = "news.html";
  CHECK(IndexWriter(folder / "index", options).add({"-"}).documents == 1);
  CHECK(found(folder, "bridge") == std::vector<std::string>{"news.html"});
  CHECK(is_clean(folder));
}

TEST_CASE_FIXTURE(TwoFiles, "an index without one of its tables is reported as a damaged file") {
  add(*this, nullptr);
  Database(schema::database_path(*this / "index"), Database::Mode::write).execute("ALTER TABLE chunks RENAME TO lost");
  const auto error = testing::error_of([&] { open_store(*this / "index", Budget::unlimited())->info(); });
  REQUIRE(error);
  CHECK(error->code() == Code::corrupt_file);
  CHECK(error->hint().find("rag-index add") != std::string::npos);
}

TEST_CASE("a missing index is distinguished from a damaged one") {
  TempFolder folder;
  CHECK_THROWS_WITH_AS(open_store(folder / "none", Budget::unlimited()), doctest::Contains("no index at"), Error);
  write_file(folder / "index/index.sqlite", std::string(8192, 'x'));
  CHECK_THROWS_AS(open_store(folder / "index", Budget::unlimited()), Error);
}

TEST_CASE_FIXTURE(TwoFiles, "queries of any bytes are valid") {
  add(*this, nullptr);
  const auto store = open_store(*this / "index", Budget::unlimited());
  for (const std::string& question :
       {std::string(), std::string("\"'()*:^ OR AND NEAR(-"), std::string("\xff\xfe\x00q", 4),
        std::string(1 << 20, 'a'), std::string("the of and")})
    CHECK(store->search_sparse({question, Language::unknown}, 5).size() <= 5);
}
