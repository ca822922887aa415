// The stage that reorders with a reader: a cascade, a budget of time, and places that it leaves alone.
#include "rag/answer/rerank.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "rag/answer/pipeline.h"
#include "rag/fakes.h"
#include "rag/reply/render.h"
#include "rag/reply/reply_json.h"
#include "telemetry/process_memory.h"

using namespace frugal;
using frugal::testing::FakeClock;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

constexpr const char* kFinished = "Bridge, bridge, bridge, Aldersby, Aldersby, Aldersby, finished, finished, finished";
constexpr const char* kQuestion = "when was the bridge at Aldersby finished";

// Many chunks that match the question a little, and few that the reader finds relevant.
struct Town {
  explicit Town(PipelineOptions options = {}) {
    options.answer = AnswerMode::none;
    options.dense = false;
    options.top_k = 50;
    models.fake_reader.emplace();
    for (int i = 0; i < 30; ++i)
      store.add("a" + std::to_string(i), "Aldersby, Aldersby, Aldersby " + std::to_string(i));
    store.add("late", "The bridge at Aldersby was finished in 1932, when the ferry at last could be laid up for good.");
    pipeline.emplace(store, models, laws, options, nullptr, "town");
  }
  Reply ask(const std::string& question = kQuestion) {
    return pipeline->run(pipeline->stages(), {{}, question}, {}, Trace(false, [this] { return clock.now(); }));
  }
  FakeStore store;
  FakeModels models;
  LawTable laws;
  FakeClock clock;
  std::optional<Pipeline> pipeline;
};

PipelineOptions with(RerankOptions rerank) {
  PipelineOptions options;
  options.rerank = rerank;
  if (rerank.mode == StageMode::automatic) options.rerank.mode = StageMode::always;
  return options;
}

std::vector<std::string> paths(const Reply& reply) {
  std::vector<std::string> out;
  for (const Hit& hit : reply.hits) out.push_back(hit.chunk.path);
  return out;
}

}  // namespace

TEST_CASE("a reader ranks the first candidates, reads the best of them, and leaves the rest as they are") {
  Town town(with({.candidates = 12, .read = 3, .prior = 0}));
  const Reply reply = town.ask();
  REQUIRE(reply.hits.size() == 31);
  CHECK(town.models.fake_reader->ranked == 12);
  CHECK(town.models.fake_reader->read == 3);
  CHECK(reply.skipped == std::vector<std::string>{"dense: switched off"});
  CHECK_FALSE(reply.cut_short);
  size_t with_score = 0;
  for (const Hit& hit : reply.hits) with_score += hit.rerank_score.has_value();
  CHECK(with_score == 12);

  PipelineOptions plain = with({.mode = StageMode::never});
  Town unranked(plain);
  const Reply before = unranked.ask();
  CHECK(unranked.models.fake_reader->ranked == 0);
  CHECK(std::equal(reply.hits.begin() + 12, reply.hits.end(), before.hits.begin() + 12,
                   [](const Hit& a, const Hit& b) { return a.chunk.id == b.chunk.id; }));
}

TEST_CASE("the reader's relevance decides, and the fused score among equals") {
  Town town(with({.candidates = 31, .read = 3, .prior = 0.01f}));
  const Reply reply = town.ask();
  CHECK(reply.hits.front().chunk.path == "late");
  CHECK(reply.hits.front().rerank_score.value() > reply.hits[1].rerank_score.value());
  for (size_t i = 2; i < reply.hits.size(); ++i) CHECK(reply.hits[i - 1].score >= reply.hits[i].score);

  Town fused(with({.candidates = 31, .read = 3, .prior = 1000}));
  Town plain(with({.mode = StageMode::never}));
  CHECK(paths(fused.ask()) == paths(plain.ask()));
}

TEST_CASE(
    "for an answer, ranking ends where a candidate behind would not be read, however relevant it is expected to be") {
  Town town;
  const auto ask = [&](float ceiling, int64_t read = 3) {
    PipelineOptions options = with({.candidates = 31, .read = read, .prior = 0.01f, .ceiling = ceiling});
    options.answer = AnswerMode::extract;
    options.dense = false;
    options.top_k = 50;
    town.models.fake_reader.emplace();
    town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
    return town.ask();
  };
  const Reply ended = ask(0.5f);
  CHECK(town.models.fake_reader->ranked == 4);
  CHECK(town.models.fake_reader->read == 3);
  CHECK_FALSE(ended.cut_short);
  CHECK(ended.hits[3].rerank_score.has_value());
  CHECK_FALSE(ended.hits[4].rerank_score.has_value());
  Town plain(with({.mode = StageMode::never}));
  const std::vector<std::string> before = paths(plain.ask()), after = paths(ended);
  REQUIRE(after.size() == before.size());
  CHECK(std::vector<std::string>(after.begin() + 4, after.end()) ==
        std::vector<std::string>(before.begin() + 4, before.end()));

  CHECK(ask(2).hits.front().chunk.path == "late");
  CHECK(town.models.fake_reader->ranked == 31);

  // With three relevant hits in front, one of relevance 2 would not be the best, but the fourth.
  town.store.add("first", kFinished);
  town.store.add("second", kFinished);
  ask(2, 1);
  CHECK(town.models.fake_reader->ranked == 4);
  ask(2, 4);
  CHECK(town.models.fake_reader->ranked == 31);

  Town hits_only(with({.candidates = 31, .read = 3, .prior = 0.01f, .ceiling = 0.5f}));
  hits_only.ask();
  CHECK(hits_only.models.fake_reader->ranked == 31);
}

TEST_CASE("a budget of time ends the reranking: what is not ranked by then keeps its order, and the reply says so") {
  Town town(with({.candidates = 31, .read = 3, .budget_ms = 35, .prior = 0}));
  town.models.fake_reader->clock = &town.clock;
  const Reply reply = town.ask();
  CHECK(town.models.fake_reader->ranked == 4);
  CHECK(town.models.fake_reader->read == 0);
  CHECK(reply.cut_short);
  CHECK(reply.skipped.back() == "rerank: budget of 35 ms, 4 of 31 hits ranked");
  Town plain(with({.mode = StageMode::never}));
  const std::vector<std::string> before = paths(plain.ask()), after = paths(reply);
  REQUIRE(after.size() == before.size());
  CHECK(std::vector<std::string>(after.begin() + 4, after.end()) ==
        std::vector<std::string>(before.begin() + 4, before.end()));

  Town enough_to_rank(with({.candidates = 8, .read = 6, .budget_ms = 115, .prior = 0}));
  enough_to_rank.models.fake_reader->clock = &enough_to_rank.clock;
  CHECK(enough_to_rank.ask().skipped.back() == "rerank: budget of 115 ms, 4 of 6 hits read");
}

TEST_CASE("chunks that hold a named article stay in front, whatever the reader says") {
  Town town(with({.candidates = 31, .read = 3, .prior = 0}));
  town.store.add("code", "Art. 72. Aldersby.",
                 {{.law = {}, .article = "72", .paragraph = {}, .item = {}, .letter = {}}});
  const Reply reply = town.ask("art. 72: when was the bridge at Aldersby finished");
  REQUIRE(!reply.hits.empty());
  CHECK(reply.hits.front().chunk.path == "code");
  CHECK_FALSE(reply.hits.front().rerank_score.has_value());
  CHECK(reply.hits[1].chunk.path == "late");
}

TEST_CASE("what the reader found is the answer: its span, and the sentence around it as the quote") {
  PipelineOptions options = with({.candidates = 31, .read = 3});
  options.answer = AnswerMode::extract;
  options.dense = false;
  Town town;
  town.store.add("opened", "The ferry is gone. The bridge at Aldersby was finished, and opened, in 1932. It is red.");
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  const Reply reply = town.ask();
  CHECK(reply.answer.span == "1932");
  REQUIRE(reply.citations.size() == 1);
  CHECK(reply.answer.text == reply.citations.front().quote);
  CHECK(reply.answer.text->find("1932") != std::string::npos);
  CHECK(reply.answer.text->find("It is red") == std::string::npos);
  CHECK(render_reply(reply, {ReplyFormat::csv}).find("\nspan,,,,,,,1932,,,,\n") != std::string::npos);
  CHECK(render_reply(reply, {ReplyFormat::markdown}).find("**1932**\n\n> ") != std::string::npos);
  CHECK(reply_to_json(reply, ReplyDetail::contract).find("\"span\":\"1932\"") != std::string::npos);

  options.rerank.mode = StageMode::never;
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  CHECK_FALSE(town.ask().answer.span);
}

TEST_CASE("a reader that only ranks reorders, and the answer is extracted by sentences") {
  PipelineOptions options = with({.candidates = 31, .read = 3, .prior = 0.01f});
  options.answer = AnswerMode::extract;
  options.dense = false;
  options.abstain_below = 0;
  Town town;
  town.models.fake_reader->only_ranks = true;
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  const Reply reply = town.ask();
  CHECK(town.models.fake_reader->ranked == 31);
  CHECK(town.models.fake_reader->read == 0);
  CHECK(reply.hits.front().chunk.path == "late");
  CHECK(reply.answer.text.value_or("").starts_with("The bridge at Aldersby was finished in 1932"));
  CHECK_FALSE(reply.answer.span.has_value());
}

TEST_CASE("the fused score has a weight in the ranking, and another in the choice of the passage that answers") {
  PipelineOptions options = with({.candidates = 31, .read = 31, .prior = 1000, .answer_prior = 0});
  options.answer = AnswerMode::extract;
  options.dense = false;
  options.abstain_below = 0;
  Town town;
  town.store.add("short", "Bridge, Aldersby, Wilkins, finished: 1777");  // fewer small words of the question
  const auto ask = [&] {
    town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
    return town.ask("when was the bridge at Aldersby finished by Wilkins");
  };
  const Reply read = ask();
  CHECK(read.hits.front().chunk.path == "short");
  CHECK(read.answer.span == "1932");
  options.rerank.answer_prior = 1000;
  const Reply found = ask();
  CHECK(paths(found) == paths(read));
  CHECK(found.answer.span == "1777");
}

TEST_CASE("by default the reader reads for an answer, and hits alone come without it") {
  PipelineOptions options = with({.candidates = 12, .read = 3});
  options.rerank.mode = StageMode::automatic;
  options.dense = false;
  Town town(options);
  const Reply reply = town.ask();
  CHECK(town.models.fake_reader->ranked == 0);
  CHECK(reply.skipped.back() == "rerank: no answer is read from the hits (--rerank always)");
  options.answer = AnswerMode::extract;
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  CHECK(town.ask().answer.text);
  CHECK(town.models.fake_reader->ranked == 12);
}

TEST_CASE("equally likely answers are all quoted, whether the question asks for several or the reader is in doubt") {
  PipelineOptions options = with({.candidates = 31, .read = 4, .prior = 0});
  options.answer = AnswerMode::extract;
  options.dense = false;
  options.abstain_below = 0;
  Town town;
  town.store.add("second", "The bridge at Aldersby was finished again in 1950, which nobody had asked for at all.");
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  town.store.add("third", "The bridge at Aldersby was finished for good in 1977, which nobody had asked for at all.");
  const Reply several = town.ask("in which three years was the bridge at Aldersby finished");
  REQUIRE(several.citations.size() == 3);
  CHECK(several.answer.text ==
        several.citations[0].quote + "\n" + several.citations[1].quote + "\n" + several.citations[2].quote);
  CHECK(several.citations[0].quote.find(several.answer.span.value()) != std::string::npos);
  const Reply one = town.ask();
  REQUIRE(one.citations.size() == 3);
  CHECK(one.citations[0].path != one.citations[1].path);
}

TEST_CASE("the confidence knows how far the answer's passage stands out of the chunks found by vectors") {
  PipelineOptions options = with({.candidates = 31, .read = 31, .prior = 0});
  options.answer = AnswerMode::extract;
  options.abstain_below = 0;
  options.top_k = 100;
  Town town;
  town.pipeline.emplace(town.store, town.models, town.laws, options, nullptr, "town");
  REQUIRE(town.ask().reading);
  CHECK_FALSE(town.ask().reading->contrast);  // 31 chunks do not tell what is usual
  for (int i = 0; i < 30; ++i)
    town.store.add("b" + std::to_string(i), "A ferry to nowhere, number " + std::to_string(i));
  const Reply reply = town.ask();
  double sum = 0, answering = 0;
  size_t found = 0;
  for (const Hit& hit : reply.hits) {
    if (!hit.dense_score) continue;
    ++found;
    sum += *hit.dense_score;
    if (hit.chunk.path == "late") answering = *hit.dense_score;
  }
  REQUIRE(found == 61);
  REQUIRE(reply.answer.span == "1932");
  const double usual = sum / double(found);
  REQUIRE(reply.reading->contrast);
  CHECK(*reply.reading->contrast == doctest::Approx((answering - usual) / (1 - usual)));
  CHECK(*reply.reading->contrast > 0);
}

TEST_CASE("the confidence knows the question's words in the sentence that is quoted, not those around it") {
  PipelineOptions options = with({.candidates = 31, .read = 31, .prior = 0});
  options.answer = AnswerMode::extract;
  options.dense = false;
  options.abstain_below = 0;
  const auto coverage = [&](const std::string& text) {
    Town town;
    FakeStore store;
    store.add("only", text);
    town.pipeline.emplace(store, town.models, town.laws, options, nullptr, "town");
    return town.ask().reading.value().coverage;
  };
  CHECK(coverage("The bridge at Aldersby was finished in 1932. It has a market hall.") == 1);
  const float split = coverage("The bridge was finished in 1932. Aldersby has a market hall.");
  CHECK(split > 0);
  CHECK(split < 0.9f);
}

TEST_CASE("nothing is read if nothing was found, or if reranking is off") {
  Town town;
  CHECK(town.ask("zyzzyva").hits.empty());
  CHECK(town.models.fake_reader->ranked == 0);
}

TEST_CASE("the peak of memory counts what the reader holds until the stage ends") {
  enum : size_t { kHeldBytes = 64 << 20 };
  struct HeavyModels : FakeModels {
    std::shared_ptr<Reader> reader() override {
      return {std::make_shared<std::vector<char>>(size_t(kHeldBytes), 'x'), &*fake_reader};
    }
  } models;
  models.fake_reader.emplace();
  FakeStore store;
  store.add("late", "The bridge at Aldersby was finished in 1932.");
  PipelineOptions options = with({.mode = StageMode::always});
  options.answer = AnswerMode::none;
  options.dense = false;
  const LawTable laws;
  Pipeline pipeline(store, models, laws, options, nullptr, "town");
  const uint64_t before = read_memory().anon_bytes;
  const Reply reply = pipeline.run(pipeline.stages(), {{}, kQuestion}, {}, Trace(true));
  CHECK(models.fake_reader->ranked == 1);
  CHECK(reply.memory.anon_bytes >= before + kHeldBytes);
}
