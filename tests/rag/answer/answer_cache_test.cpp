#include "rag/answer/answer_cache.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "rag/reply/reply_json.h"
#include "rag/text/language.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "frugal-cache-XXXXXX").native();
    REQUIRE(::mkdtemp(pattern.data()));
    path = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path); }
  fs::path path;
};

Reply sample_reply(const std::string& text) {
  Reply reply;
  reply.query.text = "who?";
  reply.answer.text = text;
  reply.answer.mode = AnswerMode::extract;
  reply.answer.confidence = 0.75f;
  reply.answer.note = "a note";
  Citation citation;
  citation.n = 1;
  citation.id = 42;
  citation.path =
      "\xFF"
      "a.md";  // names need not be UTF-8
  citation.start_byte = 3;
  citation.end_byte = 9;
  citation.in_file = true;
  citation.text_begin = 1;
  citation.text_end = 7;
  citation.line = 2;
  citation.sha256 = "ab12";
  citation.quote = "quoted";
  citation.file_bytes = 100;
  citation.file_mtime_ns = 7;
  reply.citations = {citation};
  Hit hit;
  hit.chunk.id = 42;
  hit.chunk.path = "a.md";
  hit.chunk.text = "so quoted";
  hit.chunk.external_id = "r";
  hit.chunk.place = {3, 12, 2};
  hit.chunk.in_file = true;
  hit.chunk.line = 2;
  hit.score = 0.5f;
  hit.sparse_rank = 1;
  hit.sparse_score = 3.25f;
  reply.hits = {hit};
  reply.hyde_ran = true;
  reply.hyde_reason = "always";
  reply.hyde_engine = "feedback";
  reply.fusion.language = Language::portuguese;
  reply.fusion.missing = {"br/cdc art. 500"};
  reply.skipped = {"rerank: no reader configured"};
  reply.timings.total_ms = 12;
  return reply;
}

CacheKey key_of(std::string question) {
  return {std::move(question), "options", "index 1", "models"};
}

}  // namespace

TEST_CASE("a cached reply is returned as it was stored, without timings") {
  const TemporaryFolder folder;
  const AnswerCache cache(folder.path, CacheOptions{});
  CHECK(!cache.find(key_of("who?")));
  const Reply reply = sample_reply("it was João");
  cache.put(key_of("who?"), "signature", reply);
  const auto found = cache.find(key_of("who?"));
  REQUIRE(found);
  CHECK(reply_to_json(*found, ReplyDetail::stored) == reply_to_json(reply, ReplyDetail::stored));
  CHECK(found->citations.at(0).path == reply.citations.at(0).path);
  CHECK(found->timings.total_ms == 0);
  CHECK(found->hits[0].dense_rank == std::nullopt);
  CHECK(found->citations[0].quote == "quoted");
}

TEST_CASE("every part of the key distinguishes answers, and the parts are not just concatenated") {
  const CacheKey base{"q", "o", "i", "m"};
  const CacheKey others[] = {{"Q", "o", "i", "m"}, {"q", "O", "i", "m"}, {"q", "o", "I", "m"},
                             {"q", "o", "i", "M"}, {"qo", "", "i", "m"}, {"q", "oi", "", "m"}};
  for (const CacheKey& other : others) CHECK(base.hex() != other.hex());
  CHECK(base.hex() == CacheKey{"q", "o", "i", "m"}.hex());
}

TEST_CASE("neighbours are the answers of one scope and signature") {
  const TemporaryFolder folder;
  const AnswerCache cache(folder.path, CacheOptions{});
  cache.put(key_of("who?"), "s", sample_reply("x"));
  cache.put(key_of("when?"), "t", sample_reply("y"));
  cache.put({"who?", "other options", "index 1", "models"}, "s", sample_reply("z"));
  const auto near = cache.neighbours(key_of("Who?"), "s");
  REQUIRE(near.size() == 1);
  CHECK(near[0].question == "who?");
  CHECK(near[0].reply.answer.text == "x");
  CHECK(cache.neighbours(key_of("Who?"), "u").empty());
}

TEST_CASE("a question's vector is found only for the same embedder, text and dimension, unchanged") {
  const TemporaryFolder folder;
  const QuestionVectorCache cache(folder.path, 1 << 20);
  const VectorKey key{"embedder", "Who?", 3};
  const std::vector<float> vector = {1.5f, -0.0f, 1e-30f};
  CHECK_FALSE(cache.find(key));
  cache.put(key, {vector, {}, {}});
  REQUIRE(cache.find(key));
  CHECK(cache.find(key)->dense == vector);
  CHECK(cache.find(key)->sparse.empty());
  CHECK_FALSE(cache.find({"embedder", "Who?", 3, true}));
  CHECK_FALSE(cache.find({"embedder", "who?", 3}));
  CHECK_FALSE(cache.find({"another", "Who?", 3}));
  CHECK_FALSE(cache.find({"embedder", "Who?", 4}));
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path))
    if (file.is_regular_file()) std::filesystem::resize_file(file, file.file_size() - 1);
  CHECK_FALSE(cache.find(key));
}

TEST_CASE("a question's token weights are kept with its vector, also if it has none") {
  const TemporaryFolder folder;
  const QuestionVectorCache cache(folder.path, 1 << 20);
  const VectorKey key{"embedder", "Who?", 2, true};
  cache.put(key, {{0.5f, 0.25f}, {{7, 0.125f}, {250'001, 3.5f}}, {}});
  REQUIRE(cache.find(key));
  CHECK(cache.find(key)->dense == std::vector{0.5f, 0.25f});
  REQUIRE(cache.find(key)->sparse.size() == 2);
  CHECK(cache.find(key)->sparse[1].token == 250'001);
  CHECK(cache.find(key)->sparse[1].weight == 3.5f);
  CHECK_FALSE(cache.find({"embedder", "Who?", 2}));
  const VectorKey plain{"embedder", "…", 2, true};
  cache.put(plain, {{1, 0}, {}, {}});
  REQUIRE(cache.find(plain));
  CHECK(cache.find(plain)->sparse.empty());
}
