// The contracts of store.h and store_writer.h, tested over every kind of store. Expected results are computed here, by
// loops over the chunks that were put in.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "base/error.h"
#include "base/hash.h"
#include "rag/index/store_places.h"

using namespace frugal;
using frugal::testing::StorePlace;
using frugal::testing::stores_under_test;
using frugal::testing::StoreUnderTest;

namespace {

constexpr int64_t kAll = 1000;  // more chunks than any of these indexes holds
constexpr size_t kDimension = 32;

/// A test case that runs over every store, each in an empty place.
#define STORE_CASE(NAME) STORE_CASE_NAMED(NAME, DOCTEST_ANONYMOUS(store_case_))
#define STORE_CASE_NAMED(NAME, FUNCTION)                      \
  void FUNCTION(StorePlace& place);                           \
  TEST_CASE(NAME) {                                           \
    for (const StoreUnderTest& store : stores_under_test()) { \
      CAPTURE(store.name);                                    \
      FUNCTION(*store.place());                               \
    }                                                         \
  }                                                           \
  void FUNCTION([[maybe_unused]] StorePlace& place)

struct Part {
  std::string text;
  std::vector<Provision> provisions = {};
  Language language = Language::unknown;
  std::string heading = {};
};

struct File {
  std::string path;
  std::vector<Part> parts;
  std::string title = {};
};

Document document_of(const File& file) {
  Document document;
  document.title = file.title;
  for (const Part& part : file.parts) document.text += part.text + "\n";
  return document;
}

std::string key_of(const std::string& title, const std::string& text) {
  return sha256_hex(title + "\n" + text).substr(0, 16);
}

std::vector<NewChunk> chunks_of(const File& file) {
  std::vector<NewChunk> chunks;
  uint32_t begin = 0;
  for (const Part& part : file.parts) {
    const auto end = begin + static_cast<uint32_t>(part.text.size());
    const auto line = static_cast<int64_t>(chunks.size()) + 1;
    chunks.push_back({{begin, end, line, part.heading, part.language, part.provisions}, key_of(file.title, part.text)});
    begin = end + 1;
  }
  return chunks;
}

/// Puts a file of one document, as rag-index add does. Returns the file's id.
int64_t put(StoreWriter& writer, const File& file, const std::string& recipe = "recipe") {
  const Document document = document_of(file);
  const int64_t id = writer.begin_file(file.path, recipe);
  writer.put_document(file.path, document, [&] { return chunks_of(file); });
  writer.end_file({1, 2, 3}, sha256_hex(document.text), "");
  return id;
}

void write(StorePlace& place, const std::vector<File>& files) {
  const auto writer = place.writer();
  for (const File& file : files) put(*writer, file);
  writer->commit();
}

/// A random unit vector, seeded by the text.
std::vector<float> vector_of(std::string_view text, size_t dimension = kDimension) {
  std::mt19937 random(static_cast<uint32_t>(checksum64(std::as_bytes(std::span(text)))));
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> vector(dimension);
  double squares = 0;
  for (float& value : vector) squares += std::pow(value = normal(random), 2);
  for (float& value : vector) value /= static_cast<float>(std::sqrt(squares));
  return vector;
}

TokenId token_of(std::string_view word) {
  return static_cast<TokenId>(checksum64(std::as_bytes(std::span(word))) % 250'000);
}

/// A weight for each word of a text, by the word and its number of places.
std::vector<TokenWeight> weights_of(const std::string& text) {
  std::map<TokenId, float> weights;
  std::istringstream words(text);
  for (std::string word; words >> word;) weights[token_of(word)] += 0.1f * static_cast<float>(1 + word.size() % 3);
  std::vector<TokenWeight> result;
  for (const auto& [token, weight] : weights) result.push_back({token, weight});
  return result;
}

/// Attaches to every pending chunk the vector of its text. Returns the number of new vectors.
int embed(StoreWriter& writer, size_t dimension = kDimension) {
  int computed = 0;
  for (const PendingChunk& chunk : writer.pending_chunks(0, kAll)) {
    if (!writer.has_vector(chunk.vector_key)) {
      writer.put_vector(chunk.vector_key, vector_of(chunk.text, dimension), weights_of(chunk.text));
      ++computed;
    }
    writer.attach_vector(chunk.id);
  }
  return computed;
}

std::vector<int64_t> ids_of(const std::vector<ScoredChunk>& hits) {
  std::vector<int64_t> ids;
  for (const ScoredChunk& hit : hits) ids.push_back(hit.id);
  return ids;
}

std::vector<int64_t> sorted(std::vector<int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// All chunks of the store: fetches every possible id.
std::vector<Chunk> all_chunks(Store& store) {
  std::vector<int64_t> ids(kAll);
  for (int64_t i = 0; i < kAll; ++i) ids[static_cast<size_t>(i)] = i;
  return store.fetch(ids);
}

std::vector<int64_t> ids_where(Store& store, const std::function<bool(const Chunk&)>& wanted) {
  std::vector<int64_t> ids;
  for (const Chunk& chunk : all_chunks(store))
    if (wanted(chunk)) ids.push_back(chunk.id);
  return ids;
}

int64_t id_of(Store& store, const std::string& text) {
  const auto ids = ids_where(store, [&](const Chunk& chunk) { return chunk.text == text; });
  REQUIRE(ids.size() == 1);
  return ids[0];
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string each; words >> each;)
    if (each == word) return true;
  return false;
}

bool is_ordered(const std::vector<ScoredChunk>& hits) {
  return std::is_sorted(hits.begin(), hits.end(), [](const ScoredChunk& a, const ScoredChunk& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
  });
}

/// Checks that each limit gives a prefix of the full result.
void check_limits(const std::function<std::vector<ScoredChunk>(int64_t)>& search) {
  const std::vector<int64_t> all = ids_of(search(kAll));
  for (int64_t limit = -1; limit <= static_cast<int64_t>(all.size()) + 1; ++limit) {
    CAPTURE(limit);
    const auto wanted = std::min(all.size(), static_cast<size_t>(std::max<int64_t>(limit, 0)));
    CHECK(ids_of(search(limit)) == std::vector<int64_t>(all.begin(), all.begin() + static_cast<int64_t>(wanted)));
  }
}

/// Words of random_files(): each text has two to four of them, and some texts are equal.
constexpr std::array kWords = {"zaga", "mobu", "tirel", "kepo", "vunda", "sorim", "balto", "ximo"};
std::vector<File> random_files() {
  std::mt19937 random(11);
  std::vector<File> files;
  for (int file = 0; file < 12; ++file) {
    files.push_back({"/docs/" + std::to_string(file) + ".txt", {}});
    for (int part = 0; part < 4; ++part) {
      std::string text;
      for (size_t word = 0; word < 2 + random() % 3; ++word)
        text += (text.empty() ? "" : " ") + std::string(kWords[random() % kWords.size()]);
      files.back().parts.push_back({text});
    }
  }
  return files;
}

}  // namespace

STORE_CASE("a word search finds the chunks that contain a word, best first, ties by id") {
  write(place, random_files());
  const auto store = place.reader();
  REQUIRE(store->chunk_count() == 48);
  for (const auto& [one, other] : {std::pair{"zaga", "mobu"}, {"kepo", "kepo"}, {"ximo", "nowhere"}}) {
    const std::string query = std::string(one) + " " + other;
    const auto hits = store->search_sparse({query, Language::unknown}, kAll);
    CAPTURE(query);
    CHECK(is_ordered(hits));
    CHECK(sorted(ids_of(hits)) == ids_where(*store, [&, a = one, b = other](const Chunk& chunk) {
            return has_word(chunk.text, a) || has_word(chunk.text, b);
          }));
    check_limits([&](int64_t limit) { return store->search_sparse({query, Language::unknown}, limit); });
  }
}

STORE_CASE("of two chunks of equal length, the one with more words of the query comes first") {
  write(place, {{"/a", {{"zaga kepo tirel"}, {"zaga mobu tirel"}, {"kepo mobu sorim"}}},
                {"/b", {{"vunda balto ximo"}, {"vunda balto sorim"}, {"vunda balto kepo"}}}});
  const auto store = place.reader();
  const auto hits = store->search_sparse({"mobu zaga", Language::unknown}, kAll);
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].id == id_of(*store, "zaga mobu tirel"));
}

STORE_CASE("equal texts have equal scores and are ordered by id") {
  write(place, {{"/a", {{"zaga mobu"}, {"kepo"}}}, {"/b", {{"zaga mobu"}}}, {"/c", {{"zaga mobu"}, {"tirel"}}}});
  const auto hits = place.reader()->search_sparse({"zaga", Language::unknown}, kAll);
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].score == hits[2].score);
  CHECK(is_ordered(hits));
}

STORE_CASE("titles and headings are searched too") {
  write(place, {{"/a", {{"zaga"}}, "Mobu"}, {"/b", {{"zaga", {}, {}, "Kepo"}}}});
  const auto store = place.reader();
  CHECK(store->search_sparse({"mobu", Language::unknown}, kAll).size() == 1);
  CHECK(store->search_sparse({"kepo", Language::unknown}, kAll).size() == 1);
}

STORE_CASE("a search in a law finds only chunks with a provision of it") {
  write(place, {{"/a", {{"zaga", {{"law", "5", "", "", ""}, {"law", "6", "", "", ""}}}, {"zaga mobu"}}},
                {"/b", {{"zaga", {{"other", "5", "", "", ""}}}, {"kepo", {{"law", "7", "", "", ""}}}}}});
  const auto store = place.reader();
  const auto texts = [&](const std::string& words, const std::string& law, int64_t limit) {
    std::vector<std::string> found;
    for (const ScoredChunk& hit : store->search_sparse({words, Language::unknown, law}, limit))
      found.push_back(store->fetch(std::vector{hit.id}).at(0).path + " " +
                      store->fetch(std::vector{hit.id}).at(0).text);
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(texts("zaga", "law", kAll) == Texts{"/a zaga"});
  CHECK(texts("zaga", "other", kAll) == Texts{"/b zaga"});
  CHECK(texts("mobu", "law", kAll).empty());
  CHECK(texts("zaga", "nowhere", kAll).empty());
  CHECK(texts("zaga kepo", "law", 1).size() == 1);
  CHECK(texts("zaga", "", kAll).size() == 3);
}

STORE_CASE("a filter selects the chunks that have its phrases, and not its excluded words") {
  write(place, {{"/a", {{"Ação zaga mobu"}, {"acao mobu zaga"}, {"zaga Mobu kepo 8.078"}}},
                {"/b", {{"zaga, mobu; tirel"}, {"tirel"}}}});
  const auto store = place.reader();
  const auto texts = [&](const ChunkFilter& filter) {
    std::vector<std::string> found;
    for (const Chunk& chunk : store->fetch(store->select(filter).ids())) found.push_back(chunk.text);
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(texts({}).size() == 5);
  CHECK(texts({.phrases = {"zaga mobu"}}) == Texts{"Ação zaga mobu", "zaga Mobu kepo 8.078", "zaga, mobu; tirel"});
  CHECK(texts({.phrases = {"zaga mobu", "tirel"}}) == Texts{"zaga, mobu; tirel"});
  CHECK(texts({.phrases = {"mobu kepo 8078"}}) == Texts{"zaga Mobu kepo 8.078"});
  CHECK(texts({.phrases = {"zaga mobu"}, .excluded = {"acao", "tirel"}}) == Texts{"zaga Mobu kepo 8.078"});
  CHECK(texts({.excluded = {"zaga"}}) == Texts{"tirel"});
  CHECK(texts({.phrases = {"nowhere"}}).empty());
  for (const std::string& hostile :
       {std::string("\" OR words:zaga"), std::string("') OR 1=1 --"), std::string("\0", 1)})
    CHECK(texts({.phrases = {hostile}}).empty());
}

STORE_CASE("a filter selects by path, and by the fields of the newest documents") {
  const auto put_with = [](StoreWriter& writer, const File& file, const std::string& year, const std::string& key) {
    Document document = document_of(file);
    document.fields.add(key, year);
    writer.begin_file(file.path, "recipe fields-1");
    writer.put_document(file.path, document, [&] { return chunks_of(file); });
    writer.end_file({1, 2, 3}, sha256_hex(document.text + year), "");
  };
  const std::string hostile = "k'; DROP TABLE chunks; --";
  {
    const auto writer = place.writer();
    Coverage coverage;
    coverage.roots["/docs"] = {};
    writer->set_coverage(coverage);
    put_with(*writer, {"/docs/a.md", {{"zaga"}}}, "2020", "year");
    put_with(*writer, {"/docs/old/b.md", {{"mobu"}, {"kepo"}}}, "1999", "year");
    put_with(*writer, {"/docs/c.md", {{"tirel"}}}, "it's", hostile);
    put_with(*writer, {"/docs/d.md", {{"vunda"}}}, "2024", "year");
    writer->commit();
    put_with(*writer, {"/docs/d.md", {{"vunda"}}}, "1980", "year");
    writer->commit();
  }
  const auto store = place.reader();
  const auto count = [&](const ChunkFilter& filter) { return store->select(filter).ids().size(); };
  const auto where = [&](const std::string& key, const std::string& value) {
    return count({.where = {{key, FieldCondition::Relation::equal, value}}});
  };
  CHECK(count({.paths = {"old"}}) == 2);
  CHECK(count({.paths = {"*.md", "!old/"}}) == 3);
  CHECK(count({.where = {parse_condition("year>=2000")}}) == 1);
  CHECK(count({.where = {parse_condition("year<2000")}}) == 3);
  CHECK(count({.where = {parse_condition("year!=1999")}}) == 3);
  CHECK(count({.paths = {"/docs/old/**"}, .where = {parse_condition("year=1999"), parse_condition("year<2000")}}) == 2);
  CHECK(where(hostile, "IT'S") == 1);
  CHECK(where("' OR '1'='1", "1") == 0);
  {
    const auto writer = place.writer();
    for (const int64_t id : writer->files_under("/docs/a.md")) writer->remove_file(id);
    put(*writer, {"/docs/e.txt", {{"zaga"}}});
    writer->commit();
  }
  CHECK(place.reader()->select({.where = {parse_condition("year=2020")}}).empty());
}

STORE_CASE("searches within a set find as many chunks as it has, with the scores of a search of all") {
  {
    const auto writer = place.writer();
    for (const File& file : random_files()) put(*writer, file);
    writer->use_embedder("embedder", kDimension, false);
    embed(*writer);
    writer->commit();
  }
  const auto store = place.reader();
  const std::vector<int64_t> every = ids_where(*store, [](const Chunk&) { return true; });
  const auto only = [](std::vector<ScoredChunk> hits, const ChunkSet& set, size_t limit) {
    std::erase_if(hits, [&](const ScoredChunk& hit) { return !set.contains(hit.id); });
    hits.resize(std::min(hits.size(), limit));
    return hits;
  };
  const auto same = [](const std::vector<ScoredChunk>& a, const std::vector<ScoredChunk>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return x.id == y.id && x.score == y.score; });
  };
  for (const size_t step : {1, 2, 7, 20, 48}) {
    std::vector<int64_t> ids;
    for (size_t i = step - 1; i < every.size(); i += step) ids.push_back(every[i]);
    const ChunkSet set(ids);
    for (const int64_t limit : {1, 3, 30}) {
      CAPTURE(step);
      CAPTURE(limit);
      const auto dense = store->search_dense(vector_of("zaga mobu"), limit, &set);
      CHECK(dense.size() == std::min(ids.size(), static_cast<size_t>(limit)));
      CHECK(same(dense, only(store->search_dense(vector_of("zaga mobu"), kAll), set, static_cast<size_t>(limit))));
      CHECK(same(store->search_sparse({.text = "zaga mobu", .within = &set}, limit),
                 only(store->search_sparse({.text = "zaga mobu"}, kAll), set, static_cast<size_t>(limit))));
    }
  }
  CHECK(store->search_dense(vector_of("zaga"), kAll, std::optional<ChunkSet>(ChunkSet({})).operator->()).empty());
}

STORE_CASE("a search for a provision within a set, and in a law within a set, finds only its chunks") {
  const Provision five{"law", "5", "", "", ""};
  write(place, {{"/a", {{"zaga", {five}}, {"zaga mobu", {five}}}}, {"/b", {{"zaga kepo", {five}}}}});
  const auto store = place.reader();
  const ChunkSet set({id_of(*store, "zaga mobu")});
  CHECK(ids_of(store->search_provision(five, 1, &set)) == set.ids());
  CHECK(ids_of(store->search_sparse({.text = "zaga", .law = "law", .within = &set}, kAll)) == set.ids());
  CHECK(store->search_provision(five, kAll).size() == 3);
}

STORE_CASE("a file is found by its path, with its chunks in reading order") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}}}, {"/b", {{"kepo"}}}});
  const auto store = place.reader();
  const std::optional<StoredFile> file = store->find_file("/a");
  REQUIRE(file);
  CHECK(file->bytes == 1);
  CHECK(file->chunks == std::vector{id_of(*store, "zaga"), id_of(*store, "mobu")});
  CHECK_FALSE(store->find_file("/c"));
}

STORE_CASE("queries without words find nothing, and queries of any bytes are valid") {
  write(place, {{"/a", {{"zaga mobu"}}}});
  const auto store = place.reader();
  for (const std::string& query : {std::string(), std::string(" \n\t"), std::string("?!"), std::string("nowhere")})
    CHECK(store->search_sparse({query, Language::unknown}, kAll).empty());
  for (const std::string& query : {std::string("\"'()*:^ OR AND NEAR(- zaga"), std::string("\xff\xfe\0zaga", 7)})
    CHECK(store->search_sparse({query, Language::unknown}, kAll).size() <= 1);
}

STORE_CASE("the language of a chunk is stored, and stop words of the query's language are not searched") {
  write(place, {{"/a", {{"the zaga", {}, Language::english}, {"o mobu", {}, Language::portuguese}, {"the kepo"}}}});
  const auto store = place.reader();
  const std::vector<Chunk> chunks = all_chunks(*store);
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0].language == Language::english);
  CHECK(chunks[1].language == Language::portuguese);
  CHECK(chunks[2].language == Language::unknown);
  CHECK(ids_of(store->search_sparse({"the zaga", Language::english}, kAll)) == std::vector{chunks[0].id});
  CHECK(ids_of(store->search_sparse({"o mobu", Language::portuguese}, kAll)) == std::vector{chunks[1].id});
}

STORE_CASE("chunks are counted by their words") {
  write(place, random_files());
  const auto store = place.reader();
  const std::vector<std::string> words = {"zaga", "nowhere", "mobu", "zaga"};
  std::vector<int64_t> expected;
  for (const std::string& word : words)
    expected.push_back(
        static_cast<int64_t>(ids_where(*store, [&](const Chunk& chunk) { return has_word(chunk.text, word); }).size()));
  CHECK(expected[0] > 0);
  CHECK(store->count_chunks(words, Language::unknown) == expected);
  CHECK(store->count_chunks({}, Language::unknown).empty());
}

STORE_CASE("words that are added to a query score by their weights, and bring chunks of their own") {
  write(place, {{"/a", {{"zaga"}, {"zaga mobu"}, {"mobu"}, {"kepo"}}}});
  const auto store = place.reader();
  const auto score_of = [&](const SparseQuery& query, const std::string& text) {
    for (const ScoredChunk& hit : store->search_sparse(query, kAll))
      if (hit.id == id_of(*store, text)) return hit.score;
    return 0.0f;
  };
  const std::vector<WeightedWord> added = {{"mobu", 0.5f}, {"kepo", 2.0f}};
  const SparseQuery plain{.text = "zaga"}, expanded{.text = "zaga", .expansion = added};
  for (const char* text : {"zaga", "zaga mobu", "mobu", "kepo"}) {
    CAPTURE(text);
    const float sum =
        score_of(plain, text) + 0.5f * score_of({.text = "mobu"}, text) + 2.0f * score_of({.text = "kepo"}, text);
    CHECK(score_of(expanded, text) == doctest::Approx(sum));
  }
  CHECK(is_ordered(store->search_sparse(expanded, kAll)));
  check_limits([&](int64_t limit) { return store->search_sparse(expanded, limit); });
  const ChunkSet set({id_of(*store, "kepo")});
  CHECK(ids_of(store->search_sparse({.text = "zaga", .within = &set, .expansion = added}, kAll)) == set.ids());
}

STORE_CASE("the vectors of chunks are those that were put, and chunks without one are skipped") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}, {"kepo"}}}});
  const std::vector<int64_t> ids = {4711, id_of(*place.reader(), "mobu"), id_of(*place.reader(), "zaga")};
  CHECK(place.reader()->fetch_vectors(ids).empty());
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  for (const PendingChunk& chunk : writer->pending_chunks(0, kAll)) {
    if (chunk.text == "kepo") continue;
    writer->put_vector(chunk.vector_key, vector_of(chunk.text));
    writer->attach_vector(chunk.id);
  }
  writer->commit();
  const auto store = place.reader();
  const std::vector<ChunkVector> vectors = store->fetch_vectors(ids);
  REQUIRE(vectors.size() == 2);
  CHECK(vectors[0].id == ids[1]);
  CHECK(vectors[1].id == ids[2]);
  const std::vector<float> put = vector_of("mobu");
  REQUIRE(vectors[0].values.size() == kDimension);
  for (size_t i = 0; i < kDimension; ++i) CHECK(std::abs(vectors[0].values[i] - put[i]) < 0.01);
  CHECK(store->fetch_vectors(std::vector{id_of(*store, "kepo")}).empty());
}

STORE_CASE("a vector search is exact, best first, ties by id") {
  write(place, random_files());
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  embed(*writer);
  writer->commit();
  const auto store = place.reader();
  const std::vector<float> query = vector_of("a question");
  const auto hits = store->search_dense(query, kAll);
  CHECK(sorted(ids_of(hits)) == ids_where(*store, [](const Chunk&) { return true; }));
  CHECK(is_ordered(hits));
  for (const ScoredChunk& hit : hits) {
    const std::vector<float> vector = vector_of(store->fetch(std::vector{hit.id}).at(0).text);
    double cosine = 0;
    for (size_t i = 0; i < kDimension; ++i) cosine += double(vector[i]) * query[i];
    CHECK(hit.score == doctest::Approx(cosine).epsilon(0.02));
  }
  check_limits([&](int64_t limit) { return store->search_dense(query, limit); });
}

STORE_CASE("a vector search finds only chunks with a vector, and refuses another dimension") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}, {"kepo"}}}});
  CHECK(place.reader()->search_dense(vector_of("zaga"), kAll).empty());
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  const PendingChunk first = writer->pending_chunks(0, kAll).at(0);
  writer->put_vector(first.vector_key, vector_of(first.text));
  writer->attach_vector(first.id);
  writer->commit();
  const auto store = place.reader();
  CHECK(ids_of(store->search_dense(vector_of("zaga"), kAll)) == std::vector{first.id});
  CHECK(store->info().vectors == 1);
  CHECK(store->info().dimension == kDimension);
  CHECK(writer->totals().chunks_without_vector == 2);
  CHECK_THROWS_AS(store->search_dense(vector_of("zaga", kDimension / 2), kAll), Error);
}

STORE_CASE("a search by token weights is exact, best first, ties by id") {
  write(place, random_files());
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false, true);
  CHECK(writer->keeps_weights());
  CHECK_FALSE(place.reader()->has_weights());
  embed(*writer);
  writer->commit();
  const auto store = place.reader();
  CHECK(store->has_weights());
  for (const std::string text : {"zaga", "zaga mobu", "mobu mobu kepo", "ximo nowhere"}) {
    CAPTURE(text);
    const std::vector<TokenWeight> query = weights_of(text);
    const auto hits = store->search_learned(query, kAll);
    CHECK(is_ordered(hits));
    CHECK(sorted(ids_of(hits)) == ids_where(*store, [&](const Chunk& chunk) {
            std::istringstream words(text);
            for (std::string word; words >> word;)
              if (has_word(chunk.text, word)) return true;
            return false;
          }));
    for (const ScoredChunk& hit : hits) {
      double product = 0;
      for (const TokenWeight& held : weights_of(store->fetch(std::vector{hit.id}).at(0).text))
        for (const TokenWeight& asked : query)
          if (asked.token == held.token) product += double(asked.weight) * held.weight;
      CHECK(hit.score == doctest::Approx(product).epsilon(1e-3));
    }
    check_limits([&](int64_t limit) { return store->search_learned(query, limit); });
    std::vector<int64_t> ids;
    for (int64_t id = 0; id < kAll; id += 3) ids.push_back(id);
    const ChunkSet set(ids);
    std::vector<ScoredChunk> expected = hits;
    std::erase_if(expected, [&](const ScoredChunk& hit) { return !set.contains(hit.id); });
    CHECK(ids_of(store->search_learned(query, kAll, &set)) == ids_of(expected));
    check_limits([&](int64_t limit) { return store->search_learned(query, limit, &set); });
  }
  CHECK(store->search_learned({}, kAll).empty());
  CHECK(store->search_learned(weights_of("nowhere"), kAll).empty());
}

STORE_CASE("of many chunks with one score, a search by token weights finds those with the lowest ids") {
  std::vector<Part> parts;
  for (int i = 0; i < 200; ++i) parts.push_back({"zaga only" + std::to_string(i)});
  write(place, {{"/a", parts}});
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false, true);
  std::vector<PendingChunk> pending = writer->pending_chunks(0, kAll);
  std::reverse(pending.begin(), pending.end());  // as sorting by length may
  for (const PendingChunk& chunk : pending) {
    writer->put_vector(chunk.vector_key, vector_of(chunk.text), weights_of("zaga"));
    writer->attach_vector(chunk.id);
  }
  writer->commit();
  const auto store = place.reader();
  check_limits([&](int64_t limit) { return store->search_learned(weights_of("zaga"), std::min<int64_t>(limit, 30)); });
  CHECK(store->search_learned(weights_of("zaga"), 1).at(0).id == pending.back().id);
}

STORE_CASE("weights are kept for an embedder that has them, and no other") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}}}});
  const auto writer = place.writer();
  const auto hits = [&] { return place.reader()->search_learned(weights_of("mobu"), kAll).size(); };
  writer->use_embedder("plain", kDimension, false);
  CHECK_FALSE(writer->keeps_weights());
  embed(*writer);
  writer->commit();
  CHECK_FALSE(place.reader()->has_weights());
  CHECK(hits() == 0);
  // The same embedder, by a program that knows its weights: those of some chunks alone would rank them first.
  writer->use_embedder("plain", kDimension, false, true);
  put(*writer, {"/b", {{"mobu kepo"}}});
  CHECK_FALSE(writer->keeps_weights());
  CHECK(embed(*writer) == 1);
  writer->commit();
  CHECK(hits() == 0);
  writer->use_embedder("plain", kDimension, true, true);
  CHECK(writer->keeps_weights());
  CHECK(embed(*writer) == 3);
  writer->commit();
  const auto with = place.reader();
  CHECK(hits() == 2);
  writer->use_embedder("another", kDimension, true);
  CHECK_FALSE(writer->keeps_weights());
  CHECK(embed(*writer) == 3);
  writer->finish();
  CHECK_FALSE(place.reader()->has_weights());
  CHECK(hits() == 0);
  CHECK(with->search_learned(weights_of("mobu"), kAll).size() == 2);
  writer->use_embedder("plain", kDimension, true, true);
  embed(*writer);
  writer->finish();
  CHECK(hits() == 2);
  CHECK(with->search_learned(weights_of("mobu"), kAll).size() == 2);
}

STORE_CASE("weights are reused with the vector of a text, vanish with its chunks, and outlast many commits") {
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false, true);
  for (int file = 0; file < 40; ++file) {
    put(*writer, {"/" + std::to_string(file), {{"zaga part" + std::to_string(file)}, {"mobu"}}});
    embed(*writer);
    writer->commit();
  }
  const auto before = place.reader();
  const auto expected = before->search_learned(weights_of("zaga"), kAll);
  CHECK(expected.size() == 40);
  CHECK(before->search_learned(weights_of("mobu"), kAll).size() == 40);
  const uint64_t generation = before->generation();
  writer->finish();
  const auto after = place.reader();
  CHECK(after->generation() == generation);
  for (const auto& store : {before.get(), after.get()}) {
    const auto found = store->search_learned(weights_of("zaga"), kAll);
    REQUIRE(found.size() == expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      CHECK((found[i].id == expected[i].id && found[i].score == expected[i].score));
  }
  writer->remove_file(writer->find_file("/7")->id);
  put(*writer, {"/copy", {{"zaga part7"}, {"zaga tirel"}}});
  CHECK(writer->counts().vectors_reused == 40);  // of 39 times "mobu", and "zaga part7"
  CHECK(embed(*writer) == 1);
  writer->finish();
  const auto last = place.reader();
  CHECK(last->search_learned(weights_of("mobu"), kAll).size() == 39);
  CHECK(last->search_learned(weights_of("zaga"), kAll).size() == 41);
  CHECK(ids_of(last->search_learned(weights_of("part7"), kAll)) == std::vector{id_of(*last, "zaga part7")});
  CHECK(ids_of(last->search_learned(weights_of("tirel"), kAll)) == std::vector{id_of(*last, "zaga tirel")});
}

STORE_CASE("a provision search scores by the parts that match, ties in reading order") {
  const Provision caput{"law", "5", "", "", ""}, first{"law", "5", "1", "", ""}, item{"law", "5", "", "2", ""};
  const Provision item_of_first{"law", "5", "1", "2", ""}, letter{"law", "5", "1", "2", "a"};
  write(place, {{"/b", {{"b caput", {caput}}, {"b first", {caput, first}}, {"b other", {{"law", "6", "", "", ""}}}}},
                {"/a", {{"a none"}, {"a item", {item}}, {"a item of first", {item_of_first}}, {"a letter", {letter}}}},
                {"/c", {{"c foreign", {{"another", "5", "1", "2", "a"}}}}}});
  const auto store = place.reader();
  const auto texts = [&](const Provision& asked, int64_t limit) {
    std::vector<std::pair<std::string, float>> found;
    for (const ScoredChunk& hit : store->search_provision(asked, limit))
      found.emplace_back(store->fetch(std::vector{hit.id}).at(0).text, std::round(hit.score * 100));
    return found;
  };
  using Found = std::vector<std::pair<std::string, float>>;
  CHECK(texts(caput, kAll) ==
        Found{{"b caput", 100}, {"b first", 100}, {"a item", 100}, {"a item of first", 100}, {"a letter", 100}});
  CHECK(texts(first, kAll) ==
        Found{{"b first", 100}, {"a item of first", 100}, {"a letter", 100}, {"b caput", 67}, {"a item", 67}});
  // II of § 1 is not II of the caput.
  CHECK(texts(item, kAll) ==
        Found{{"a item", 100}, {"b caput", 67}, {"b first", 67}, {"a item of first", 67}, {"a letter", 67}});
  CHECK(texts(letter, 2) == Found{{"a letter", 100}, {"a item of first", 80}});
  CHECK(texts({"", "5", "1", "2", "a"}, 2) == Found{{"a letter", 100}, {"c foreign", 100}});
  CHECK(texts({"law", "7", "", "", ""}, kAll).empty());
  CHECK(texts({"law", "", "1", "", ""}, kAll).empty());
  check_limits([&](int64_t limit) { return store->search_provision({"", "5", "", "", ""}, limit); });
}

STORE_CASE("fetch keeps the order of ids, skips unknown ids and repeats repeated ones") {
  write(place, random_files());
  const auto store = place.reader();
  std::map<int64_t, std::string> held;
  for (const Chunk& chunk : all_chunks(*store)) held[chunk.id] = chunk.text;
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<int64_t> asked;
    std::vector<std::pair<int64_t, std::string>> expected, found;
    for (size_t i = 0; i < random() % 9; ++i) {
      asked.push_back(static_cast<int64_t>(random() % 200) - 20);
      if (held.contains(asked.back())) expected.emplace_back(asked.back(), held[asked.back()]);
    }
    for (const Chunk& chunk : store->fetch(asked)) found.emplace_back(chunk.id, chunk.text);
    CHECK(found == expected);
  }
  const int64_t id = held.begin()->first;
  CHECK(store->fetch(std::vector<int64_t>{id, kAll, id}).size() == 2);
}

STORE_CASE("a chunk is fetched as it was put") {
  const Provision one{"law", "5", "", "", ""}, two{"law", "6", "", "", ""};
  const File file{
      "/docs/a.md", {{"Ação zaga", {two, one, two}, Language::portuguese, "Part"}, {"mobu\nkepo"}}, "Title"};
  write(place, {file});
  const std::vector<Chunk> chunks = all_chunks(*place.reader());
  REQUIRE(chunks.size() == 2);
  CHECK(chunks[0].document == "/docs/a.md");
  CHECK(chunks[0].path == "/docs/a.md");
  CHECK(chunks[0].external_id.empty());
  CHECK(chunks[0].title == "Title");
  CHECK(chunks[0].heading == "Part");
  CHECK(chunks[0].text == "Ação zaga");
  CHECK(chunks[0].references == std::vector{one, two});
  CHECK(chunks[0].sha256 == sha256_hex(document_of(file).text));
  CHECK(chunks[1].start_byte == chunks[0].end_byte + 1);
  CHECK(chunks[1].end_byte == chunks[1].start_byte + 9);
  CHECK(chunks[1].line == 2);
  CHECK(chunks[1].text == "mobu\nkepo");
}

STORE_CASE("a reader keeps the generation that it opened") {
  write(place, {{"/a", {{"zaga"}}}});
  const auto before = place.reader();
  const auto writer = place.writer();
  put(*writer, {"/b", {{"zaga mobu"}}});
  CHECK(place.reader()->chunk_count() == 1);  // not committed
  CHECK(place.reader()->search_sparse({"mobu", Language::unknown}, kAll).empty());
  writer->commit();
  CHECK(before->chunk_count() == 1);
  CHECK(before->search_sparse({"zaga", Language::unknown}, kAll).size() == 1);
  CHECK(all_chunks(*before).size() == 1);
  CHECK(place.reader()->search_sparse({"zaga", Language::unknown}, kAll).size() == 2);
  CHECK(place.reader()->generation() == before->generation() + 1);
  writer->remove_file(writer->find_file("/a")->id);
  writer->commit();
  CHECK(all_chunks(*before).at(0).text == "zaga");
  CHECK(ids_of(place.reader()->search_sparse({"zaga", Language::unknown}, kAll)).size() == 1);
}

STORE_CASE("a commit that does not change search results makes no generation") {
  write(place, {{"/a", {{"zaga"}}}});
  const uint64_t generation = place.reader()->generation();
  const auto writer = place.writer();
  writer->commit();
  put(*writer, {"/a", {{"zaga"}}});
  writer->commit();
  writer->set_coverage({{{"/a", {}}}, {}, {}});
  writer->set_embedder_name("a.pack");
  writer->add_skipped("/c", "unreadable");
  LawTable laws;
  laws.add({"law", "The Law", {"Law"}, {}});
  writer->set_laws(laws);
  writer->commit();
  CHECK(place.reader()->generation() == generation);
  CHECK(place.reader()->laws().title("law") == "The Law");
  CHECK(writer->totals().generation == generation);
}

STORE_CASE("there is no index before the first writer, and a second writer is refused") {
  CHECK_THROWS_AS(place.reader(), Error);
  const auto writer = place.writer();
  CHECK(place.reader()->chunk_count() == 0);
  CHECK_THROWS_AS(place.writer(), Error);
}

STORE_CASE("unchanged chunks keep their ids, and others are replaced") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}, {"kepo"}}}});
  const auto before = place.reader();
  const auto writer = place.writer();
  put(*writer, {"/a", {{"zaga"}, {"tirel"}, {"kepo"}}});
  CHECK(writer->counts().chunks_added == 2);  // "kepo" has moved
  CHECK(writer->counts().chunks_removed == 2);
  writer->commit();
  const auto after = place.reader();
  CHECK(id_of(*after, "zaga") == id_of(*before, "zaga"));
  CHECK(after->search_sparse({"mobu", Language::unknown}, kAll).empty());
  CHECK(ids_of(after->search_sparse({"tirel", Language::unknown}, kAll)) == std::vector{id_of(*after, "tirel")});
  put(*writer, {"/a", {{"zaga"}, {"tirel"}, {"kepo"}}, "Balto"});
  writer->commit();
  CHECK(place.reader()->search_sparse({"balto", Language::unknown}, kAll).size() == 3);
  CHECK(all_chunks(*place.reader()).at(0).title == "Balto");
}

STORE_CASE("an unchanged document is chunked again only if the recipe differs") {
  const File file{"/a", {{"zaga"}, {"mobu"}}};
  write(place, {file});
  const uint64_t generation = place.reader()->generation();
  const std::vector<Chunk> before = all_chunks(*place.reader());
  const auto writer = place.writer();
  for (const char* recipe : {"recipe", "another"}) {
    bool chunked = false;
    writer->begin_file("/a", recipe);
    writer->put_document("/a", document_of(file), [&] {
      chunked = true;
      return chunks_of(file);
    });
    writer->end_file({4, 5, 6}, sha256_hex(document_of(file).text), "");
    writer->commit();
    CHECK(chunked == (recipe == std::string("another")));
    CHECK(writer->find_file("/a")->recipe == recipe);
    CHECK(place.reader()->generation() == generation + chunked);
  }
  CHECK(writer->find_file("/a")->stamp == IndexedFile::Stamp{4, 5, 6});
  CHECK(all_chunks(*place.reader()).at(1).id == before.at(1).id);
  CHECK(writer->counts().chunks_added == 0);
}

STORE_CASE("the name of a record is unique in its file, and a record that is not put again is removed") {
  const auto writer = place.writer();
  Document record;
  record.is_record = true;
  const auto put_record = [&](const std::string& name, int64_t line) {
    record.external_id = name;
    record.text = "zaga " + name;
    record.line = line;
    const auto chunk = [&] {
      return std::vector<NewChunk>{
          {{0, static_cast<uint32_t>(record.text.size()), line, "", Language::unknown, {}}, key_of("", record.text)}};
    };
    return writer->put_document("/a#" + name, record, chunk);
  };
  writer->begin_file("/a", "recipe");
  CHECK(put_record("x", 1));
  CHECK(put_record("y", 2));
  CHECK_FALSE(put_record("x", 3));
  writer->end_file({}, "first", "");
  writer->commit();
  const std::vector<Chunk> before = all_chunks(*place.reader());
  REQUIRE(before.size() == 2);
  CHECK(before[0].external_id == "x");
  CHECK(before[0].document == "/a#x");
  CHECK(before[0].line == 1);
  writer->begin_file("/a", "recipe");
  CHECK(put_record("y", 7));
  writer->end_file({}, "second", "");
  writer->commit();
  const std::vector<Chunk> after = all_chunks(*place.reader());
  REQUIRE(after.size() == 1);
  CHECK(after[0].id == before[1].id);
  CHECK(after[0].line == 7);
  CHECK(writer->totals().documents == 1);
}

STORE_CASE("an abandoned file leaves everything as it was") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}}}});
  const uint64_t generation = place.reader()->generation();
  const auto writer = place.writer();
  for (const std::string path : {"/a", "/new"}) {
    const File file{path, {{"kepo"}, {"tirel"}}};
    writer->begin_file(path, "another");
    writer->put_document(path, document_of(file), [&] { return chunks_of(file); });
    writer->abandon_file();
  }
  CHECK(writer->counts().chunks_added == 0);
  CHECK(writer->counts().chunks_removed == 0);
  CHECK_FALSE(writer->find_file("/new"));
  writer->commit();
  CHECK(place.reader()->generation() == generation);
  CHECK(place.reader()->chunk_count() == 2);
  CHECK(place.reader()->search_sparse({"kepo", Language::unknown}, kAll).empty());
  CHECK(place.reader()->search_sparse({"mobu", Language::unknown}, kAll).size() == 1);
}

STORE_CASE("the files under a folder exclude those of a folder whose name begins with its name") {
  const auto writer = place.writer();
  std::map<std::string, int64_t> ids;
  for (const char* path : {"/d/a/y", "/d/a/x/z", "/d/a.txt", "/d/ab/x", "/d/a0", "/d/a", "/e"})
    ids[path] = put(*writer, {path, {{"zaga"}}});
  CHECK(writer->files_under("/d/a") == std::vector{ids["/d/a"], ids["/d/a/x/z"], ids["/d/a/y"]});
  CHECK(writer->files_under("/d/a.txt") == std::vector{ids["/d/a.txt"]});
  CHECK(writer->files_under("/d/b").empty());
  CHECK(writer->find_file("/e")->id == ids["/e"]);
  CHECK_FALSE(writer->find_file("/d"));
  CHECK(writer->files_under("/").size() == 7);
}

STORE_CASE("what the index covers is kept as it was set") {
  Coverage coverage;
  coverage.roots = {{"/d", {true, true}}, {"/d/a", {}}, {"/e", {false, false}}};
  coverage.excludes = {"*.log", "!b.log", "a/"};
  coverage.removed = {"/d/x", "/d/a/y"};
  {
    const auto writer = place.writer();
    CHECK(writer->coverage() == Coverage{});
    writer->set_coverage(coverage);
    CHECK(writer->coverage() == coverage);
    writer->commit();
  }
  const auto writer = place.writer();
  CHECK(writer->coverage() == coverage);
  coverage.excludes.pop_back();
  coverage.roots.erase("/d");
  writer->set_coverage(coverage);
  writer->commit();
  CHECK(writer->coverage() == coverage);
}

STORE_CASE("skipped files are kept by path, with their last reason") {
  const auto writer = place.writer();
  for (const char* path : {"/d/b", "/d/a", "/e"}) writer->add_skipped(path, "unreadable");
  writer->add_skipped("/d/a", "too large");
  const auto skipped = writer->skipped_under("/d");
  REQUIRE(skipped.size() == 2);
  CHECK(skipped[0].path == "/d/a");
  CHECK(skipped[0].reason == "too large");
  writer->forget_skipped("/d/a");
  writer->forget_skipped("/nowhere");
  CHECK(writer->skipped_under("/d").size() == 1);
  CHECK(writer->skipped_under("/").size() == 2);
}

STORE_CASE("relocated files keep their ids and chunks under another path, also one inside the old path") {
  write(place, {{"/d/a", {{"zaga"}}}, {"/d/d/a", {{"mobu"}}}, {"/dd", {{"kepo"}}}});
  const auto writer = place.writer();
  const int64_t a = writer->find_file("/d/a")->id;
  const std::string recipe = writer->find_file("/d/a")->recipe;
  writer->add_skipped("/d/s", "unreadable");
  writer->relocate("/d", "/d/d");
  writer->commit();
  CHECK(writer->find_file("/d/d/a")->id == a);
  CHECK(writer->find_file("/d/d/a")->recipe == recipe);
  CHECK_FALSE(writer->find_file("/d/a"));
  CHECK(writer->skipped_under("/d").at(0).path == "/d/d/s");
  const auto store = place.reader();
  const Chunk chunk = store->fetch(std::vector{id_of(*store, "mobu")}).at(0);
  CHECK(chunk.path == "/d/d/d/a");
  CHECK(chunk.document == "/d/d/d/a");
  CHECK(store->fetch(std::vector{id_of(*store, "kepo")}).at(0).path == "/dd");
  CHECK(writer->counts().chunks_added == 0);
  writer->relocate("/d/d/a", "/d/d/b");
  CHECK(writer->find_file("/d/d/b")->recipe.empty());  // its title may have been its name
}

STORE_CASE("a removed file is found by no search") {
  const Provision five{"law", "5", "", "", ""};
  write(place, {{"/a", {{"zaga", {five}}, {"mobu"}}}, {"/b", {{"zaga", {five}}}}});
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  embed(*writer);
  const int64_t removed = writer->find_file("/a")->id;
  writer->remove_file(removed);
  writer->finish();
  const auto store = place.reader();
  CHECK(store->chunk_count() == 1);
  CHECK(all_chunks(*store).at(0).path == "/b");
  CHECK(store->search_sparse({"zaga mobu", Language::unknown}, kAll).size() == 1);
  CHECK(store->search_dense(vector_of("mobu"), kAll).size() == 1);
  CHECK(store->search_provision(five, kAll).size() == 1);
  CHECK(store->info().documents == 1);
  CHECK(writer->counts().chunks_removed == 2);
  CHECK(writer->files_under("/a").empty());
}

STORE_CASE("vectors are found by the embedded text, so a copied or renamed file needs none") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}, {"zaga"}}}});
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  CHECK(embed(*writer) == 2);
  writer->commit();
  CHECK(writer->has_vector(key_of("", "zaga")));
  CHECK_FALSE(writer->has_vector(key_of("", "kepo")));
  put(*writer, {"/b", {{"mobu"}, {"kepo"}}});
  writer->remove_file(writer->find_file("/a")->id);
  CHECK(writer->counts().vectors_reused == 1);
  const auto pending = writer->pending_chunks(0, kAll);
  REQUIRE(pending.size() == 1);
  CHECK(pending[0].text == "kepo");
  CHECK(embed(*writer) == 1);
  writer->finish();
  const auto store = place.reader();
  CHECK(store->search_dense(vector_of("mobu"), 1).at(0).id == id_of(*store, "mobu"));
  CHECK(store->search_dense(vector_of("kepo"), 1).at(0).id == id_of(*store, "kepo"));
}

STORE_CASE("pending chunks are ordered by id") {
  write(place, random_files());
  const auto writer = place.writer();
  std::vector<int64_t> waiting;
  for (int64_t last = 0;;) {
    const auto some = writer->pending_chunks(last, 7);
    if (some.empty()) break;
    CHECK(some.size() <= 7);
    for (const PendingChunk& chunk : some) waiting.push_back(chunk.id);
    last = waiting.back();
  }
  CHECK(waiting == ids_where(*place.reader(), [](const Chunk&) { return true; }));
}

STORE_CASE("another embedder is refused, unless it replaces every vector, also with another dimension") {
  write(place, {{"/a", {{"zaga"}, {"mobu"}}}});
  {
    const auto writer = place.writer();
    writer->use_embedder("model", kDimension, false);
    embed(*writer);
    writer->commit();
  }
  const auto before = place.reader();
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  writer->commit();
  CHECK(place.reader()->generation() == before->generation());
  try {
    writer->use_embedder("another", kDimension / 2, false);
    FAIL("mixed vectors of two embedders");
  } catch (const Error& error) {
    CHECK(error.code() == Code::mismatch);
  }
  writer->use_embedder("another", kDimension / 2, true);
  CHECK(writer->totals().chunks_without_vector == 2);
  CHECK(embed(*writer, kDimension / 2) == 2);
  writer->finish();
  CHECK(before->search_dense(vector_of("mobu"), 1).at(0).id == id_of(*before, "mobu"));
  CHECK(before->embedder_fingerprint() == "model");
  const auto after = place.reader();
  CHECK(after->embedder_fingerprint() == "another");
  CHECK(after->search_dense(vector_of("mobu", kDimension / 2), 1).at(0).id == id_of(*after, "mobu"));
}

STORE_CASE("finish() after most chunks were removed does not change search results") {
  // Enough for a store to drop unused vectors.
  constexpr int kParts = 1100;
  std::vector<Part> parts;
  for (int i = 0; i < kParts; ++i) parts.push_back({"zaga" + std::to_string(i)});
  write(place, {{"/gone", parts}, {"/kept", {{"mobu"}, {"kepo"}, {"mobu"}}}});
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false, true);
  for (auto some = writer->pending_chunks(0, kAll); !some.empty(); some = writer->pending_chunks(0, kAll))
    embed(*writer);
  writer->commit();
  const auto before = place.reader();
  writer->remove_file(writer->find_file("/gone")->id);
  writer->finish();
  const auto after = place.reader();
  const auto hits = after->search_dense(vector_of("mobu"), kAll);
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].score == hits[1].score);
  CHECK(after->fetch(std::vector{hits[2].id}).at(0).text == "kepo");
  CHECK(before->search_dense(vector_of("zaga7"), 1).at(0).score == doctest::Approx(1).epsilon(0.02));
  CHECK(after->search_learned(weights_of("mobu"), kAll).size() == 2);
  CHECK(ids_of(after->search_learned(weights_of("kepo"), kAll)) == std::vector{hits[2].id});
  CHECK(after->search_learned(weights_of("zaga7"), kAll).empty());
  CHECK(before->search_learned(weights_of("zaga7"), kAll).size() == 1);
  put(*writer, {"/new", {{"kepo"}, {"tirel"}}});
  CHECK(writer->counts().vectors_reused == 1);
  CHECK(embed(*writer) == 1);
  writer->commit();
  CHECK(place.reader()->search_dense(vector_of("tirel"), 1).at(0).score == doctest::Approx(1).epsilon(0.02));
  CHECK(place.reader()->search_learned(weights_of("kepo"), kAll).size() == 2);
  CHECK(place.reader()->search_learned(weights_of("tirel"), kAll).size() == 1);
}

// --- images ---

namespace {

constexpr size_t kImageDimension = 16;

std::vector<float> image_vector(std::string_view content) {
  return vector_of(content, kImageDimension);
}

std::string image_key(const std::string& content) {
  return sha256_hex("image " + content).substr(0, 16);
}

/// The same content is embedded once, as IndexWriter does.
void put_image(StoreWriter& writer, const std::string& content) {
  if (!writer.has_image_vector(image_key(content))) writer.put_image_vector(image_key(content), image_vector(content));
}

/// Puts a document with images, which have no text.
void put_images(StoreWriter& writer, const std::string& path, const std::vector<std::string>& contents,
                const std::string& title = "", const std::string& recipe = "recipe") {
  std::vector<NewImage> images;
  writer.begin_file(path, recipe);
  Document document;
  document.title = title;
  writer.put_document(path, document, [] { return std::vector<NewChunk>(); });
  for (const std::string& content : contents) {
    put_image(writer, content);
    images.push_back({static_cast<int64_t>(images.size()) + 1, 7, "", image_key(content)});
  }
  writer.put_images(images);
  writer.end_file({1, 2, 3}, sha256_hex(path + contents.at(0)), "");
}

std::vector<std::string> paths_of(const std::vector<ScoredImage>& hits) {
  std::vector<std::string> paths;
  for (const ScoredImage& hit : hits) paths.push_back(hit.image.path + "#" + std::to_string(hit.image.number));
  return paths;
}

void use_images(StoreWriter& writer) {
  writer.use_image_embedder("clip", kImageDimension, false);
}

}  // namespace

STORE_CASE("an image is found by its vector, with its place, and is no chunk") {
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  use_images(*writer);
  writer->set_image_embedder_name("clip.pack");
  put(*writer, {"/a.txt", {{"zaga"}}});
  put_images(*writer, "/a.png", {"cat"}, "a cat");
  put_images(*writer, "/b.pdf", {"dog", "house", "cat"});
  embed(*writer);
  writer->finish();
  const auto store = place.reader();
  CHECK(store->chunk_count() == 1);
  CHECK(store->info().images == 4);
  CHECK(store->info().image_dimension == kImageDimension);
  CHECK(store->image_embedder_fingerprint() == "clip");
  CHECK(store->image_embedder_name() == "clip.pack");
  CHECK(writer->totals().images == 4);
  const auto cats = store->search_images(image_vector("cat"), kAll);
  REQUIRE(cats.size() == 4);
  CHECK(cats[0].image.path == "/a.png");
  CHECK(cats[0].image.title == "a cat");
  CHECK(cats[0].image.number == 1);
  CHECK(cats[0].image.page == 7);
  CHECK(cats[0].score == doctest::Approx(1).epsilon(0.02));
  CHECK(cats[1].image.path == "/b.pdf");
  CHECK(cats[1].image.number == 3);
  CHECK(cats[1].score == cats[0].score);
  CHECK(cats[0].image.id < cats[1].image.id);
  CHECK(cats[2].score < cats[1].score);
  CHECK(paths_of(store->search_images(image_vector("house"), 1)) == std::vector<std::string>{"/b.pdf#2"});
  CHECK(store->search_images(image_vector("house"), 0).empty());
  CHECK(store->search_images(image_vector("house"), -1).empty());
  CHECK_THROWS_AS(store->search_images(vector_of("house"), 1), Error);
  CHECK(store->search_dense(vector_of("zaga"), kAll).size() == 1);
}

STORE_CASE("an index without images finds none") {
  write(place, {{"/a", {{"zaga"}}}});
  const auto store = place.reader();
  CHECK(store->image_embedder_fingerprint().empty());
  CHECK(store->info().images == 0);
  CHECK(store->search_images(image_vector("cat"), kAll).empty());
}

STORE_CASE("images pass the paths and fields of a filter with their documents, and no phrase") {
  const auto writer = place.writer();
  use_images(*writer);
  writer->set_coverage({{{"/d", {}}}, {}, {}});
  put_images(*writer, "/d/x/a.png", {"cat"});
  put_images(*writer, "/d/y/b.png", {"cat", "dog"});
  writer->finish();
  const auto store = place.reader();
  const auto found = [&](const ChunkFilter& filter) {
    return paths_of(store->search_images(image_vector("dog"), kAll, filter));
  };
  CHECK(found({}).size() == 3);
  CHECK(found({.paths = {"y/**"}}) == std::vector<std::string>{"/d/y/b.png#2", "/d/y/b.png#1"});
  CHECK(found({.where = {{"year", FieldCondition::Relation::equal, "2020"}}}).empty());
  CHECK(found({.phrases = {"dog"}}).empty());
  CHECK(found({.excluded = {"dog"}}).size() == 3);
}

STORE_CASE("images keep their ids while they stay the same, and go with their document") {
  const auto writer = place.writer();
  use_images(*writer);
  put_images(*writer, "/a.pdf", {"cat", "dog"});
  put_images(*writer, "/b.png", {"cat"});
  writer->commit();
  const auto before = place.reader();
  put_images(*writer, "/a.pdf", {"cat", "dog"});
  writer->commit();
  const auto same = place.reader();
  CHECK(same->generation() == before->generation());
  CHECK(same->search_images(image_vector("dog"), 1).at(0).image.id ==
        before->search_images(image_vector("dog"), 1).at(0).image.id);
  put_images(*writer, "/a.pdf", {"house"});
  writer->remove_file(writer->find_file("/b.png")->id);
  CHECK(writer->has_image_vector(image_key("cat")));  // a file that comes back is not embedded again
  writer->finish();
  CHECK(paths_of(place.reader()->search_images(image_vector("cat"), kAll)) == std::vector<std::string>{"/a.pdf#1"});
  CHECK(before->search_images(image_vector("cat"), kAll).size() == 3);
  writer->relocate("/a.pdf", "/c.pdf");
  writer->commit();
  CHECK(place.reader()->search_images(image_vector("house"), kAll).at(0).image.path == "/c.pdf");
}

STORE_CASE("a file that is abandoned leaves no images") {
  const auto writer = place.writer();
  use_images(*writer);
  put_images(*writer, "/a.png", {"cat"});
  writer->begin_file("/a.png", "recipe");
  writer->put_document("/a.png", Document(), [] { return std::vector<NewChunk>(); });
  put_image(*writer, "dog");
  writer->put_images(std::vector<NewImage>{{1, 0, "", image_key("dog")}});
  writer->abandon_file();
  put_images(*writer, "/b.png", {"house"});
  put_images(*writer, "/c.png", {"dog"});
  writer->finish();
  const auto store = place.reader();
  CHECK(paths_of(store->search_images(image_vector("cat"), 1)) == std::vector<std::string>{"/a.png#1"});
  CHECK(paths_of(store->search_images(image_vector("house"), 1)) == std::vector<std::string>{"/b.png#1"});
  CHECK(paths_of(store->search_images(image_vector("dog"), 1)) == std::vector<std::string>{"/c.png#1"});
  CHECK(store->info().images == 3);
}

STORE_CASE("another image embedder is refused, unless it replaces every vector: then the files are read again") {
  const auto writer = place.writer();
  writer->use_embedder("model", kDimension, false);
  use_images(*writer);
  put(*writer, {"/a.txt", {{"zaga"}}});
  put_images(*writer, "/a.png", {"cat"});
  embed(*writer);
  writer->commit();
  CHECK_THROWS_AS(writer->use_image_embedder("other", 8, false), Error);
  writer->use_image_embedder("other", 8, true);
  CHECK(writer->find_file("/a.png")->recipe.empty());
  CHECK(writer->find_file("/a.txt")->recipe == "recipe");
  CHECK_FALSE(writer->has_image_vector(image_key("cat")));
  writer->commit();
  const auto store = place.reader();
  CHECK(store->image_embedder_fingerprint() == "other");
  CHECK(store->search_images(vector_of("cat", 8), kAll).empty());
  CHECK(store->search_dense(vector_of("zaga"), 1).size() == 1);
}

// --- writers that are killed ---

namespace {

struct Step {
  std::function<void(StoreWriter&)> run;
  bool commits = false;
};

/// The calls of a writer, one by one, with every function of its interface. They can be run again from the start.
class WriterCalls {
 public:
  WriterCalls() {
    const Provision five{"law", "5", "", "", ""};
    const File a{"/d/a", {{"zaga mobu", {five}}, {"kepo"}}}, b{"/d/b", {{"mobu"}, {"tirel"}}};
    const File longer{"/d/a", {{"zaga mobu", {five}}, {"vunda"}, {"sorim"}}};
    step([](StoreWriter& writer) { writer.use_embedder("model", kDimension, false, true); });
    step([](StoreWriter& writer) { writer.set_coverage({{{"/d", {}}}, {}, {}}); });
    step([](StoreWriter& writer) { writer.forget_skipped("/d"); });
    put(a);
    put(b);
    commit();
    step([](StoreWriter& writer) { writer.add_skipped("/d/c", "unreadable"); });
    step(put_next_vector);
    step(attach_next_vector);
    step(put_next_vector);
    commit();
    step(embed_all);
    commit();
    put(longer);
    begin(b);
    step([](StoreWriter& writer) { writer.abandon_file(); });
    step(embed_all);
    step([](StoreWriter& writer) { writer.remove_file(writer.find_file("/d/b")->id); });
    commit();
    step([](StoreWriter& writer) { writer.use_embedder("model", kDimension, true, true); });
    step(embed_all);
    commit();
    step(use_images);
    step([](StoreWriter& writer) { writer.set_image_embedder_name("clip.pack"); });
    step([](StoreWriter& writer) { writer.begin_file("/d/i.png", "recipe"); });
    step([](StoreWriter& writer) {
      writer.put_document("/d/i.png", Document(), [] { return std::vector<NewChunk>(); });
    });
    step([](StoreWriter& writer) { put_image(writer, "cat"); });
    step([](StoreWriter& writer) { writer.put_images(std::vector<NewImage>{{1, 0, "", image_key("cat")}}); });
    step([](StoreWriter& writer) { writer.end_file({1, 2, 3}, "hash", ""); });
    commit();
    step([](StoreWriter& writer) { put_images(writer, "/d/j.png", {"dog"}); });
    steps_.push_back({[](StoreWriter& writer) { writer.finish(); }, true});
  }
  const std::vector<Step>& steps() const { return steps_; }

 private:
  void step(std::function<void(StoreWriter&)> run) { steps_.push_back({std::move(run)}); }
  void commit() {
    steps_.push_back({[](StoreWriter& writer) { writer.commit(); }, true});
  }
  void begin(const File& file) {
    step([file](StoreWriter& writer) { writer.begin_file(file.path, "recipe"); });
    step([file](StoreWriter& writer) {
      writer.put_document(file.path, document_of(file), [&] { return chunks_of(file); });
    });
  }
  void put(const File& file) {
    begin(file);
    step([file](StoreWriter& writer) { writer.end_file({1, 2, 3}, sha256_hex(document_of(file).text), ""); });
  }
  static void put_next_vector(StoreWriter& writer) {
    for (const PendingChunk& chunk : writer.pending_chunks(0, 1))
      if (!writer.has_vector(chunk.vector_key))
        writer.put_vector(chunk.vector_key, vector_of(chunk.text), weights_of(chunk.text));
  }
  static void attach_next_vector(StoreWriter& writer) {
    for (const PendingChunk& chunk : writer.pending_chunks(0, 1)) writer.attach_vector(chunk.id);
  }
  static void embed_all(StoreWriter& writer) { embed(writer); }

  std::vector<Step> steps_;
};

void run(StorePlace& place, const std::vector<Step>& steps, size_t count) {
  const auto writer = place.writer();
  for (size_t i = 0; i < count; ++i) steps[i].run(*writer);
}

/// The same in a child process, which kills itself at the end.
void run_and_kill(StorePlace& place, const std::vector<Step>& steps, size_t count) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      const auto writer = place.writer();
      for (size_t i = 0; i < count; ++i) steps[i].run(*writer);
      ::kill(::getpid(), SIGKILL);
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

/// Everything that a reader can see of an index, as text.
std::string visible_state(StorePlace& place) {
  const auto store = place.reader();
  std::ostringstream out;
  out << store->generation() << " " << store->embedder_fingerprint() << " " << store->info().documents << "\n";
  for (const Chunk& chunk : all_chunks(*store))
    out << chunk.id << " " << chunk.path << " " << chunk.text << " " << chunk.references.size() << "\n";
  for (const char* word : {"zaga", "mobu", "kepo", "vunda"})
    for (const int64_t id : ids_of(store->search_sparse({word, Language::unknown}, kAll))) out << word << id << "\n";
  for (const ScoredChunk& hit : store->search_dense(vector_of("mobu"), kAll)) out << hit.id << "~" << hit.score << "\n";
  for (const ScoredChunk& hit : store->search_learned(weights_of("mobu zaga"), kAll))
    out << hit.id << "*" << hit.score << "\n";
  for (const int64_t id : ids_of(store->search_provision({"law", "5", "", "", ""}, kAll))) out << "art" << id << "\n";
  for (const ScoredImage& hit : store->search_images(image_vector("dog"), kAll))
    out << hit.image.path << hit.image.id << "~" << hit.score << "\n";
  return out.str();
}

/// visible_state() after each number of steps. Only a commit may change it.
std::vector<std::string> states(StorePlace& place, const std::vector<Step>& steps) {
  const auto writer = place.writer();
  std::vector<std::string> states = {visible_state(place)};
  for (const Step& step : steps) {
    step.run(*writer);
    states.push_back(visible_state(place));
    CHECK((states.back() != states.end()[-2]) == step.commits);
  }
  return states;
}

std::vector<std::string> texts(Store& store) {
  std::vector<std::string> texts;
  for (const Chunk& chunk : all_chunks(store)) texts.push_back(chunk.text);
  std::sort(texts.begin(), texts.end());
  return texts;
}

void check_final_state(StorePlace& place) {
  const auto store = place.reader();
  CHECK(texts(*store) == std::vector<std::string>{"sorim", "vunda", "zaga mobu"});
  CHECK(store->info().vectors == 3);
  CHECK(store->search_dense(vector_of("vunda"), 1).at(0).id == id_of(*store, "vunda"));
  CHECK(ids_of(store->search_learned(weights_of("mobu kepo tirel"), kAll)) == std::vector{id_of(*store, "zaga mobu")});
  CHECK(store->search_sparse({"zaga kepo tirel", Language::unknown}, kAll).size() == 1);
  CHECK(store->search_provision({"law", "5", "", "", ""}, kAll).size() == 1);
  CHECK(paths_of(store->search_images(image_vector("dog"), kAll)) ==
        std::vector<std::string>{"/d/j.png#1", "/d/i.png#1"});
}

}  // namespace

TEST_CASE("a writer that is killed between any two calls leaves the last commit, and the next one continues") {
  const WriterCalls calls;
  const std::vector<Step>& steps = calls.steps();
  for (const StoreUnderTest& store : stores_under_test()) {
    CAPTURE(store.name);
    const std::vector<std::string> expected = states(*store.place(), steps);
    for (size_t count = 0; count <= steps.size(); ++count) {
      for (const bool killed : {false, true}) {
        const auto place = store.place();
        if (killed && !place->is_shared()) continue;
        CAPTURE(count);
        CAPTURE(killed);
        (killed ? run_and_kill : run)(*place, steps, count);
        CHECK(visible_state(*place) == expected[count]);
        run(*place, steps, steps.size());
        check_final_state(*place);
      }
    }
  }
}
