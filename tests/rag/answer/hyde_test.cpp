// The expansion of a question after the first search: when it runs, what it changes, and what it leaves.
#include "rag/answer/hyde.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "rag/answer/pipeline.h"
#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::bag_of_words;
using frugal::testing::FakeClock;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

constexpr const char* kQuestion = "storm damage";

// Five reports are about storm damage; what they say besides, and the question does not, is in the page of the dyke.
struct Coast {
  Coast() {
    for (const char* report : {"report of storm damage at dyke, sluice", "report of storm damage: both dyke and sluice",
                               "report of storm damage, the dyke and the sluice broke",
                               "report of storm damage, dyke and sluice broke in the night",
                               "report of storm damage, again the dyke and sluice"})
      store.add("report.md", report);
    store.add("sale.md", "a carriage was sold by its owner for crowns");
    dyke = store.add("dyke.md", "the dyke broke, and the sluice broke").id;
    store.add("school.md", "the school opens in autumn");
    options.answer = AnswerMode::none;
    options.hyde.mode = StageMode::always;
  }
  Reply ask(Query query = {{}, kQuestion}) {
    return Pipeline(store, models, LawTable(), options, nullptr, "coast").ask(query);
  }
  Reply ask_with(StageMode mode) {
    options.hyde.mode = mode;
    return ask();
  }
  FakeStore store;
  FakeModels models;
  PipelineOptions options;
  int64_t dyke = 0;
};

std::vector<int64_t> ranked(const Reply& reply) {
  std::vector<int64_t> ids;
  for (const Candidate& each : reply.ranking) ids.push_back(each.id);
  return ids;
}

size_t rank_of(int64_t id, const Reply& reply) {
  const std::vector<int64_t> ids = ranked(reply);
  return static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("feedback brings what the first hits speak of, and the first five stay as they are") {
  Coast coast;
  const Reply first = coast.ask_with(StageMode::never);
  const Reply expanded = coast.ask_with(StageMode::always);
  CHECK_FALSE(first.hyde_ran);
  CHECK(first.hyde_reason == "never");
  CHECK(first.hyde_engine.empty());
  CHECK(expanded.hyde_ran);
  CHECK(expanded.hyde_reason == "always");
  CHECK(expanded.hyde_engine == "feedback");
  CHECK(rank_of(coast.dyke, expanded) < rank_of(coast.dyke, first));
  const std::vector<int64_t> before = ranked(first), after = ranked(expanded);
  for (size_t i = 0; i < 5; ++i) {
    CHECK(first.ranking[i].score == expanded.ranking[i].score);
    CHECK(first.ranking[i].dense_score == expanded.ranking[i].dense_score);
    CHECK(first.ranking[i].sparse_score == expanded.ranking[i].sparse_score);
  }
  CHECK(std::equal(before.begin(), before.begin() + 5, after.begin()));
  CHECK(std::is_sorted(expanded.ranking.rbegin(), expanded.ranking.rend(),
                       [](const Candidate& a, const Candidate& b) { return a.score < b.score; }));
  CHECK(coast.models.generator_opened == 0);
}

TEST_CASE("every hit stays even if the second search drops it from its lists") {
  Coast coast;
  coast.options.retrieve.candidates = 3;
  coast.models.parameters = coast.options.min_generator_parameters;
  coast.models.fake_generator.says = "the school opens in autumn";
  const std::vector<int64_t> before = ranked(coast.ask_with(StageMode::never));
  const std::vector<int64_t> after = ranked(coast.ask_with(StageMode::always));
  REQUIRE(before.size() >= 3);
  CHECK(std::equal(before.begin(), before.begin() + 3, after.begin()));
}

TEST_CASE("cosines remain those with the question, since the confidence depends on them") {
  Coast coast;
  const std::vector<float> question = bag_of_words(kQuestion);
  for (const Candidate& each : coast.ask().ranking) {
    if (each.dense_rank == 0) continue;
    const std::vector<float> vector = bag_of_words(coast.store.fetch(std::vector{each.id}).at(0).text);
    CHECK(each.dense_score == doctest::Approx(std::inner_product(vector.begin(), vector.end(), question.begin(), 0.0)));
  }
}

TEST_CASE("auto expands where no hit stands out and both lists begin with the same, and else changes nothing") {
  Coast coast;
  const Reply expanded = coast.ask_with(StageMode::automatic);
  CHECK(expanded.hyde_ran);
  CHECK(expanded.hyde_engine == "feedback");
  CHECK(contains(expanded.hyde_reason, "auto: both searches begin with the same hit, which leads by 0.0"));
  CHECK(ranked(expanded) == ranked(coast.ask_with(StageMode::always)));

  const auto is_unchanged = [](Coast& asked) {
    const Reply kept = asked.ask_with(StageMode::automatic);
    CHECK_FALSE(kept.hyde_ran);
    CHECK(kept.hyde_engine.empty());
    CHECK(ranked(kept) == ranked(asked.ask_with(StageMode::never)));
    return kept.hyde_reason;
  };
  coast.options.hyde.max_lead = 0;
  CHECK(contains(is_unchanged(coast), "auto: off, the first hit leads by 0.0"));
  Coast other;
  other.store.add("short.md", "storm damage");  // by words no better than the reports, which are older
  CHECK(is_unchanged(other) == "auto: off, the searches by words and by vectors begin with different hits");
  Coast alone;
  alone.options.dense = false;
  CHECK(is_unchanged(alone) == "auto: off, only one of the searches has hits");
}

TEST_CASE("without vectors, or without a search by words, the other is expanded") {
  Coast words;
  words.options.dense = false;
  const Reply by_words = words.ask();
  CHECK(by_words.hyde_ran);
  CHECK(words.store.dense_searches == 0);
  CHECK(words.models.embedder_opened == 0);
  CHECK(rank_of(words.dyke, by_words) < by_words.ranking.size());  // it shares no word with the question
  Coast vectors;
  vectors.options.retrieve.sparse = false;
  CHECK(vectors.ask().hyde_ran);
  CHECK(vectors.store.sparse_searches == 0);
  CHECK(vectors.store.dense_searches == 2);
}

TEST_CASE("an able generator writes the passage, in the question's language") {
  Coast coast;
  coast.models.parameters = coast.options.min_generator_parameters;
  coast.models.fake_generator.says = "The dyke and the sluice broke.";
  const Reply reply = coast.ask();
  CHECK(reply.hyde_engine == "generator");
  CHECK(reply.hyde_reason == "always");
  CHECK(coast.models.fake_embedder.calls == 2);
  CHECK(coast.store.sparse_searches == 1);
  CHECK(rank_of(coast.dyke, reply) < rank_of(coast.dyke, coast.ask_with(StageMode::never)));
  coast.options.hyde.mode = StageMode::always;
  CHECK(contains(coast.models.fake_generator.seen.at(0).content, "Write one short paragraph"));
  coast.ask({{}, "Que estragos a tempestade fez na costa?"});
  CHECK(contains(coast.models.fake_generator.seen.at(0).content, "Escreva em português"));
}

TEST_CASE("a generator that is small is not opened, and one that fails is reported and replaced by feedback") {
  Coast coast;
  coast.models.parameters = coast.options.min_generator_parameters - 1;
  CHECK(coast.ask().hyde_engine == "feedback");
  CHECK(coast.models.generator_opened == 0);

  coast.models.parameters = coast.options.min_generator_parameters;
  coast.models.fake_generator.finish = Finish::deadline;
  const Reply late = coast.ask();
  CHECK(late.hyde_engine == "feedback");
  CHECK(late.hyde_reason == "always; the generator took longer than 5000 ms");
  coast.models.fake_generator.finish = Finish::stop;
  CHECK(coast.ask().hyde_reason == "always; the generator wrote nothing");
  coast.models.generator_damaged = true;
  CHECK(coast.ask().hyde_reason == "always; pack 'fake': damaged");
}

TEST_CASE("a question that names an article, or finds nothing, is not expanded") {
  Coast coast;
  const Reply named = coast.ask({{}, "What does article 12 say about storm damage?"});
  CHECK_FALSE(named.hyde_ran);
  CHECK(named.hyde_reason == "skipped: the question names an article");
  coast.options.dense = false;
  CHECK(coast.ask({{}, "zeppelin"}).hyde_reason == "skipped: nothing was found");
  Query filtered{{}, kQuestion};
  filtered.filter.paths = {"nowhere/**"};
  CHECK(coast.ask(filtered).hyde_reason == "skipped: no passage passes the filter");
}

TEST_CASE("what the filter excludes is neither searched nor found by the second search") {
  Coast coast;
  Query filtered{{}, kQuestion};
  filtered.filter.paths = {"report.md"};
  const Reply reply = coast.ask(filtered);
  CHECK(reply.hyde_ran);
  CHECK(rank_of(coast.dyke, reply) == reply.ranking.size());
}

TEST_CASE("the deadline leaves expansion out, on record") {
  Coast coast;
  coast.options.deadline_ms = 10;
  FakeClock clock;
  coast.store.clock = &clock;  // both searches take 14 ms
  const Reply reply = Pipeline(coast.store, coast.models, LawTable(), coast.options, nullptr, "coast")
                          .ask({{}, kQuestion}, {}, Trace(false, [&] { return clock.now(); }));
  CHECK_FALSE(reply.hyde_ran);
  CHECK(reply.cut_short);
  CHECK(std::count(reply.skipped.begin(), reply.skipped.end(), "hyde: deadline of 10 ms") == 1);
}
