// The list of stages as data: switched off, replaced, added to, and held to a deadline.
#include "rag/answer/stage.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "rag/answer/pipeline.h"
#include "rag/fakes.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using frugal::testing::error_of;
using frugal::testing::FakeClock;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;
using frugal::testing::TempFolder;

namespace {

constexpr const char* kQuestion = "When was the bridge at Aldersby finished?";

struct Bridges {
  explicit Bridges(PipelineOptions options = {}, const AnswerCache* answers = nullptr) {
    store.add("bridge.md", "The bridge at Aldersby was finished in 1932.");
    store.add("market.md", "The market of Aldersby opens at six.");
    store.add("ferry.md", "The ferry at Aldersby was finished off by the bridge.");
    pipeline.emplace(store, models, laws, options, answers, "bridges");
  }
  Reply run(std::span<const Stage> stages) { return pipeline->run(stages, {{}, kQuestion}); }
  Reply run(std::span<const Stage> stages, const FakeClock& clock) {
    return pipeline->run(stages, {{}, kQuestion}, {}, Trace(false, [&] { return clock.now(); }));
  }
  std::vector<Stage> without(std::initializer_list<std::string_view> names) const {
    std::vector<Stage> stages = pipeline->stages();
    for (const std::string_view name : names) switch_off(stages, name);
    return stages;
  }
  FakeStore store;
  FakeModels models;
  LawTable laws;
  std::optional<Pipeline> pipeline;
};

std::vector<Stage>::iterator place(std::vector<Stage>& stages, std::string_view name) {
  return std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) { return stage.name == name; });
}

Stage backwards(std::string_view name) {
  return {.name = name,
          .run = [](QuestionState& state) { std::reverse(state.reply.ranking.begin(), state.reply.ranking.end()); }};
}

std::vector<int64_t> ids(const Reply& reply) {
  std::vector<int64_t> out;
  for (const Hit& hit : reply.hits) out.push_back(hit.chunk.id);
  return out;
}

}  // namespace

TEST_CASE("a stage that is switched off loads nothing and does nothing") {
  PipelineOptions options;
  options.hyde.mode = StageMode::always;
  Bridges bridges(options);
  const Reply reply = bridges.run(bridges.without({"hyde", "embed", "dense", "answer"}));
  CHECK(bridges.models.embedder_opened == 0);
  CHECK(bridges.models.generator_opened == 0);
  CHECK(bridges.store.dense_searches == 0);
  CHECK(bridges.store.sparse_searches == 1);
  CHECK(reply.answer.mode == AnswerMode::none);
  CHECK(reply.hyde_reason == "skipped: switched off");
  CHECK(reply.skipped == std::vector<std::string>{"dense: switched off", "rerank: no reader configured"});

  bridges.run(bridges.without({"hyde", "sparse", "answer"}));
  CHECK(bridges.store.dense_searches == 1);
  CHECK(bridges.store.sparse_searches == 1);
  const Reply no_texts = bridges.run(bridges.without({"hyde", "texts", "answer"}));
  CHECK(no_texts.hits.empty());
  CHECK(no_texts.ranking.size() == 3);
}

TEST_CASE("a stage that is off keeps its own reason, and one that is not there cannot be switched") {
  Bridges bridges;
  std::vector<Stage> stages = bridges.pipeline->stages();
  switch_off(stages, "rerank", "an ablation");
  CHECK(stage_named(stages, "rerank").off == "no reader configured");
  switch_off(stages, "sparse", "an ablation");
  CHECK(bridges.run(stages).skipped.front() == "sparse: an ablation");
  const auto error = error_of([&] { switch_off(stages, "astrology"); });
  REQUIRE(error.has_value());
  CHECK(error->code() == Code::internal);
}

TEST_CASE("a stage is added, or put in the place of another, by the list alone") {
  Bridges bridges;
  const Reply before = bridges.pipeline->ask({{}, kQuestion});
  REQUIRE(before.hits.size() == 3);

  std::vector<Stage> stages = bridges.pipeline->stages();
  *place(stages, "rerank") = backwards("rerank");
  const Reply reranked = bridges.run(stages);
  std::vector<int64_t> turned = ids(before);
  std::reverse(turned.begin(), turned.end());
  CHECK(ids(reranked) == turned);
  CHECK(reranked.skipped.empty());

  stages.insert(place(stages, "texts"), backwards("turned again"));
  CHECK(ids(bridges.run(stages)) == ids(before));
  CHECK(ids(bridges.pipeline->ask({{}, kQuestion})) == ids(before));  // the pipeline's own list is as it was
}

TEST_CASE("every stage borrows one reading of the question") {
  Bridges bridges;
  std::vector<Stage> stages = bridges.pipeline->stages();
  const Question* seen = nullptr;
  int stages_that_ran = 0;
  for (Stage& stage : stages) {
    stage.run = [&, run = stage.run](QuestionState& state) {
      if (!seen) seen = &state.question;
      CHECK(&state.question == seen);
      CHECK(state.question.language == Language::english);
      CHECK(state.question.words.size() == 7);
      ++stages_that_ran;
      run(state);
    };
  }
  bridges.run(stages);
  CHECK(stages_that_ran == 10);
  CHECK(running_stage_names(stages) == "select embed dense sparse fuse hyde references texts answer show");
}

TEST_CASE("a deadline that is over leaves out what can be left out, on record, and nothing else") {
  PipelineOptions options;
  options.hyde.mode = StageMode::always;
  options.deadline_ms = 1000;
  Bridges bridges(options);
  FakeClock clock;
  std::vector<Stage> stages = bridges.pipeline->stages();
  stages.insert(stages.begin(), {.name = "slow", .run = [&](QuestionState&) { clock.spend_ms(1000); }});
  const Reply reply = bridges.run(stages, clock);
  CHECK(reply.cut_short);
  CHECK(reply.skipped == std::vector<std::string>{"embed: deadline of 1000 ms", "hyde: deadline of 1000 ms",
                                                  "rerank: no reader configured", "answer: deadline of 1000 ms"});
  CHECK(bridges.models.generator_opened == 0);
  CHECK(bridges.models.embedder_opened == 0);
  CHECK(bridges.store.dense_searches == 0);
  CHECK(reply.hits.at(0).chunk.path == "bridge.md");
}

TEST_CASE("the time of a stage counts under its record, and one without a record under none") {
  FakeClock clock;
  Bridges bridges;
  std::vector<Stage> stages = bridges.without({"answer"});
  const auto spend = [&](int ms) { return [&clock, ms](QuestionState&) { clock.spend_ms(ms); }; };
  stages.insert(place(stages, "fuse"), {.name = "a", .run = spend(5), .record = "retrieve"});
  stages.insert(place(stages, "texts"), {.name = "b", .run = spend(30), .record = "rerank"});
  stages.insert(place(stages, "show"), {.name = "c", .run = spend(200), .record = {}});
  const Reply reply = bridges.run(stages, clock);
  CHECK(reply.timings.retrieve_ms == 5);
  CHECK(reply.timings.rerank_ms == 30);
  CHECK(reply.timings.other_ms == 200);
  CHECK(reply.timings.total_ms == 235);
}

TEST_CASE("an answer that other stages gave is not the answer") {
  const TempFolder folder;
  const AnswerCache answers(folder.path(), CacheOptions{});
  Bridges bridges({}, &answers);
  CHECK(bridges.pipeline->ask({{}, kQuestion}).cache == CacheStatus::miss);
  CHECK(bridges.pipeline->ask({{}, kQuestion}).cache == CacheStatus::exact);
  CHECK(bridges.run(bridges.without({"dense"})).cache == CacheStatus::miss);
  std::vector<Stage> stages = bridges.pipeline->stages();
  stages.insert(place(stages, "texts"), backwards("backwards"));
  CHECK(bridges.run(stages).cache == CacheStatus::miss);
  CHECK(bridges.run(stages).cache == CacheStatus::exact);
}

TEST_CASE("an answer that was found under a filter is served only under that filter") {
  const TempFolder folder;
  const AnswerCache answers(folder / "answers", CacheOptions{});
  Bridges bridges({}, &answers);
  const auto status = [&](Query query) {
    query.has_operators = true;
    return bridges.pipeline->ask(query).cache;
  };
  const Query plain{.id = {}, .text = kQuestion};
  const Query filtered{.id = {}, .text = kQuestion, .filter = {.paths = {"ferry.md"}}};
  const Query other{.id = {}, .text = kQuestion, .filter = {.where = {parse_condition("year=1932")}}};
  const Query excluding{.id = {}, .text = std::string(kQuestion) + " -ferry"};
  for (const Query& query : {plain, filtered, other, excluding}) CHECK(status(query) == CacheStatus::miss);
  for (const Query& query : {plain, filtered, other, excluding}) CHECK(status(query) == CacheStatus::exact);
}
