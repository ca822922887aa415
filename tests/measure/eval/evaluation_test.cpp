#include "measure/eval/evaluation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::bag_of_words;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

// Words and vectors disagree here: repeated words change a vector, but not the number of distinct words.
struct Harbour {
  Harbour() {
    store.add("ships", "harbour ships ships ships ships ships ships master");
    store.add("master", "harbour master harbour master");
    store.add("fish", "fish market fish market of the harbour");
    store.add("tide", "tide tables ships");
    set.name = "harbour";
    ask("a", "harbour master", {{"master", 1}});
    ask("b", "ships harbour fish", {{"fish", 2}, {"ships", 1}});
    ask("c", "tide ships", {{"ships", 1}});
  }
  void ask(std::string id, std::string text, Judgements judged) {
    set.queries.push_back({std::move(id), std::move(text), {}, std::move(judged)});
  }
  EvalReport evaluate(const EvalOptions& options = {}, std::ostream* trec_run = nullptr) {
    return frugal::evaluate(set, store, models, options, trec_run);
  }
  FakeStore store;
  FakeModels models;
  EvalSet set;
};

const EvalRun& run_named(const EvalReport& report, std::string_view name) {
  return *std::find_if(report.runs.begin(), report.runs.end(), [&](const EvalRun& run) { return run.name == name; });
}

// In the fake store each chunk is a document, named by its path; chunk N is the Nth that was added.
const char* document(int64_t id) {
  constexpr const char* kNames[] = {"ships", "master", "fish", "tide"};
  return kNames[id - 1];
}

// nDCG by its definition, for lists that contain every relevant document.
double ndcg_of(const std::vector<ScoredChunk>& list, const Judgements& judged) {
  double gain = 0, best = 0;
  std::vector<double> grades;
  for (const auto& [name, grade] : judged) grades.push_back(grade);
  std::sort(grades.rbegin(), grades.rend());
  for (size_t i = 0; i < grades.size(); ++i) best += grades[i] / std::log2(static_cast<double>(i) + 2);
  for (size_t i = 0; i < list.size(); ++i)
    if (const auto judgement = judged.find(document(list[i].id)); judgement != judged.end())
      gain += judgement->second / std::log2(static_cast<double>(i) + 2);
  return gain / best;
}

}  // namespace

TEST_CASE("the rows sparse and dense measure the lists of the store") {
  Harbour harbour;
  const EvalReport report = harbour.evaluate();
  double sparse = 0, dense = 0, first = 0;
  for (const EvalQuery& query : harbour.set.queries) {
    const auto by_words = harbour.store.search_sparse({query.text, Language::english}, 100);
    sparse += ndcg_of(by_words, query.judged) / 3;
    dense += ndcg_of(harbour.store.search_dense(bag_of_words(query.text), 100), query.judged) / 3;
    first +=
        query.judged.contains(document(by_words.front().id)) ? 1.0 / static_cast<double>(query.judged.size()) / 3 : 0;
  }
  CHECK(run_named(report, "sparse").ranking.ndcg_at_10.mean == doctest::Approx(sparse));
  CHECK(run_named(report, "dense").ranking.ndcg_at_10.mean == doctest::Approx(dense));
  CHECK(run_named(report, "sparse").ranking.recall_at_1.mean == doctest::Approx(first));
  CHECK(sparse != doctest::Approx(dense));
}

TEST_CASE("the fused row measures the ranking of the pipeline, and the TREC run is that ranking") {
  Harbour harbour;
  std::ostringstream trec;
  const EvalReport report = harbour.evaluate({}, &trec);
  std::string expected;
  double gain = 0;
  Pipeline pipeline(harbour.store, harbour.models, harbour.store.laws(), {}, nullptr, "harbour");
  for (const EvalQuery& query : harbour.set.queries) {
    std::vector<ScoredChunk> ranked;
    for (const Hit& hit : pipeline.ask({{}, query.text}).hits) ranked.push_back({hit.chunk.id, hit.score});
    gain += ndcg_of(ranked, query.judged) / 3;
    for (size_t i = 0; i < ranked.size(); ++i)
      expected += query.id + " Q0 " + document(ranked[i].id) + " " + std::to_string(i + 1) + " " +
                  std::to_string(ranked.size() - i) + " frugal-fused\n";
  }
  CHECK(run_named(report, "fused").ranking.ndcg_at_10.mean == doctest::Approx(gain));
  CHECK(trec.str() == expected);
  const double best =
      std::max(run_named(report, "sparse").ranking.ndcg_at_10.mean, run_named(report, "dense").ranking.ndcg_at_10.mean);
  CHECK(run_named(report, "fused").ndcg_gain->mean == doctest::Approx(gain - best));
}

TEST_CASE("a row whose stage is off has a reason; the same stages run once, and questions are embedded together") {
  Harbour harbour;
  EvalOptions options;
  options.pipeline.hyde.mode = StageMode::never;
  const EvalReport report = harbour.evaluate(options);
  CHECK(run_named(report, "rerank").skipped == "no reader configured");
  CHECK(run_named(report, "hyde").skipped == "never");
  CHECK(run_named(report, "full").ranking.ndcg_at_10.mean == run_named(report, "fused").ranking.ndcg_at_10.mean);
  CHECK(run_named(report, "full").ms_per_query == run_named(report, "fused").ms_per_query);
  CHECK(harbour.store.sparse_searches == 2 * 3);  // sparse and fused
  CHECK(harbour.store.dense_searches == 2 * 3);
  CHECK(harbour.models.fake_embedder.calls == 1);
  CHECK(harbour.models.generator_opened == 0);
}

TEST_CASE("without vectors there is no dense row, and fused is compared with sparse only") {
  Harbour harbour;
  EvalOptions options;
  options.pipeline.dense = false;
  const EvalReport report = harbour.evaluate(options);
  CHECK(run_named(report, "dense").skipped == "switched off");
  CHECK(run_named(report, "fused").ndcg_gain->mean == 0);
  CHECK(harbour.models.embedder_opened == 0);
  harbour.store.fingerprint = "";
  CHECK(run_named(harbour.evaluate(), "dense").skipped == "the index has no vectors");
}

TEST_CASE("a stage that is switched on has a row of its own and runs in the full row") {
  Harbour harbour;
  EvalOptions options;
  options.pipeline.hyde.mode = StageMode::always;
  options.pipeline.hyde.kept = 0;
  harbour.models.parameters = options.pipeline.min_generator_parameters;
  harbour.models.fake_generator.says = "fish market fish market of the harbour";
  const EvalReport report = harbour.evaluate(options);
  CHECK(run_named(report, "hyde").skipped.empty());
  CHECK(run_named(report, "hyde").ranking.ndcg_at_10.mean != run_named(report, "fused").ranking.ndcg_at_10.mean);
  CHECK(run_named(report, "full").ranking.ndcg_at_10.mean == run_named(report, "hyde").ranking.ndcg_at_10.mean);
  CHECK_FALSE(run_named(report, "full").ndcg_gain.has_value());
  CHECK(harbour.models.fake_generator.calls == 3);
}

TEST_CASE("where the gate lets no question pass, the row has a share of 0 and ranks as fused does") {
  Harbour harbour;
  EvalOptions options;
  options.pipeline.hyde.max_lead = 0;
  const EvalReport report = harbour.evaluate(options);
  CHECK(run_named(report, "hyde").skipped.empty());
  CHECK(run_named(report, "hyde").hyde_share == 0.0);
  CHECK(run_named(report, "hyde").ndcg_gain_over_fused->mean == 0);
}

TEST_CASE("answers are measured with all stages") {
  Harbour harbour;
  harbour.set.queries[0].answers = {"harbour master harbour master"};
  EvalOptions options;
  options.answers = true;
  options.pipeline.hyde.mode = StageMode::never;  // so that fused is full
  options.foreign.push_back({"f", "boiling temperature of tungsten", {}, {}});
  const EvalReport report = harbour.evaluate(options);
  CHECK(run_named(report, "full").answers->exact_match == 1.0);
  CHECK(run_named(report, "fused").answers->exact_match == 1.0);
  CHECK_FALSE(run_named(report, "sparse").answers.has_value());
  CHECK(run_named(report, "full").answers->true_abstention == 1.0);
}

TEST_CASE("every stage that ranks is in the fused row or has a row of its own") {
  Harbour harbour;
  const EvalReport report = harbour.evaluate();
  Pipeline pipeline(harbour.store, harbour.models, harbour.store.laws(), {}, nullptr, "harbour");
  std::vector<std::string> expected{"sparse", "dense", "fused"};
  for (auto stage = pipeline.stages().rbegin(); stage != pipeline.stages().rend(); ++stage)
    if (!std::set<std::string_view>{"recall", "select", "match", "embed", "dense", "sparse", "learned", "maxsim",
                                    "fuse", "references", "texts", "images", "answer", "show", "keep"}
             .contains(stage->name))
      expected.emplace_back(stage->name);
  expected.emplace_back("full");
  std::vector<std::string> rows;
  for (const EvalRun& run : report.runs) rows.push_back(run.name);
  CHECK(rows == expected);
}

TEST_CASE("a row that adds a stage is compared with fused, question by question") {
  Harbour harbour;
  EvalOptions options;
  options.pipeline.hyde.mode = StageMode::always;
  options.pipeline.hyde.kept = 0;
  harbour.models.parameters = options.pipeline.min_generator_parameters;
  harbour.models.fake_generator.says = "fish market fish market of the harbour";
  const EvalReport report = harbour.evaluate(options);
  const EvalRun& hyde = run_named(report, "hyde");
  REQUIRE(hyde.ndcg_gain_over_fused);
  CHECK(hyde.ndcg_gain_over_fused->mean ==
        doctest::Approx(hyde.ranking.ndcg_at_10.mean - run_named(report, "fused").ranking.ndcg_at_10.mean));
  CHECK(hyde.hyde_share == 1.0);
  CHECK_FALSE(run_named(report, "fused").hyde_share.has_value());
  CHECK_FALSE(run_named(report, "fused").ndcg_gain_over_fused.has_value());
  CHECK_FALSE(run_named(report, "sparse").ndcg_gain_over_fused.has_value());
}

TEST_CASE("rankings are measured by language, and times by stage") {
  Harbour harbour;
  harbour.set.queries[0].language = harbour.set.queries[1].language = Language::english;
  harbour.set.queries[2].language = Language::portuguese;
  const EvalReport report = harbour.evaluate();
  const EvalRun& fused = run_named(report, "fused");
  REQUIRE(fused.ranking_by_language.size() == 2);
  const RankingMeasures& english = fused.ranking_by_language.at(Language::english);
  const RankingMeasures& portuguese = fused.ranking_by_language.at(Language::portuguese);
  CHECK(english.queries == 2);
  CHECK(portuguese.queries == 1);
  CHECK((2 * english.ndcg_at_10.mean + portuguese.ndcg_at_10.mean) / 3 ==
        doctest::Approx(fused.ranking.ndcg_at_10.mean));
  double sum = 0;
  for (const StageTime& time : fused.stage_times) sum += time.stage == "total" ? -time.mean : time.mean;
  CHECK(sum == doctest::Approx(0));
  CHECK(fused.stage_times.back().mean == doctest::Approx(fused.ms_per_query));
}

TEST_CASE("questions that seem to have an answer are measured apart from foreign ones, and a page stays readable") {
  Harbour harbour;
  EvalOptions options;
  options.answers = true;
  options.unanswerable.push_back({"u", "who is the master of the harbour ships", {}, {}});
  options.foreign.push_back({"f", "boiling temperature of tungsten", {}, {}});
  const EvalReport report = harbour.evaluate(options);
  const AnswerFigures& figures = run_named(report, "full").answers->all;
  CHECK(figures.questions == std::array<int64_t, 3>{3, 1, 1});
  CHECK(figures.gold_cited.has_value());
  CHECK_FALSE(figures.f1.has_value());

  const auto json = nlohmann::json::parse(report_to_json(report, -1));
  const auto& full = json.at("runs").back();
  CHECK(full.at("run") == "full");
  CHECK(full.at("true_abstention") == 1.0);
  CHECK(full.at("answers").at("abstained").at("foreign").at("mean") == 1.0);
  CHECK(full.at("answers").at("confidence").at("all").at("answers") >= 3);
  CHECK(full.at("stages_ms").at("rerank").is_null());
  CHECK(full.at("by_language").size() == 1);
  std::istringstream page(report_to_markdown(report));
  for (std::string line; std::getline(page, line);)
    CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <= 100);
}

TEST_CASE("a chunk that the store lacks counts as no document, and the others keep their order") {
  FakeStore store;
  FakeModels models;
  store.add("gone", "harbour master ships");
  store.add("held", "harbour master");
  store.lost = {1};
  EvalSet set;
  set.name = "harbour";
  set.queries.push_back({"q", "harbour master ships", {}, {{"held", 1}}});
  const EvalReport report = evaluate(set, store, models, {});
  REQUIRE(report.runs.at(0).name == "sparse");
  CHECK(report.runs[0].ranking.recall_at_1.mean == 1);
}

TEST_CASE("an index with token weights has a row for their list, which fused contains") {
  Harbour harbour;
  const EvalReport without = harbour.evaluate();
  const auto has_row = [](const EvalReport& report, std::string_view name) {
    return std::any_of(report.runs.begin(), report.runs.end(), [&](const EvalRun& run) { return run.name == name; });
  };
  CHECK_FALSE(has_row(without, "learned"));
  CHECK_FALSE(has_row(without, "maxsim"));
  harbour.store.with_weights = harbour.models.fake_embedder.has_heads = true;
  EvalOptions options;
  options.pipeline.retrieve.learned_weight = 100;
  options.pipeline.rerank.maxsim = 5;
  const EvalReport report = harbour.evaluate(options);
  PipelineOptions three_lists = options.pipeline;
  three_lists.hyde.mode = StageMode::never;
  three_lists.rerank.maxsim = 0;
  Pipeline pipeline(harbour.store, harbour.models, harbour.store.laws(), three_lists, nullptr, "harbour");
  double learned = 0, fused = 0;
  for (const EvalQuery& query : harbour.set.queries) {
    learned += ndcg_of(harbour.store.search_learned(frugal::testing::word_weights(query.text), 100), query.judged) / 3;
    const Reply reply = pipeline.ask({{}, query.text});
    CHECK(reply.fusion.learned_hits > 0);
    std::vector<ScoredChunk> ranked;
    for (const Candidate& each : reply.ranking) ranked.push_back({each.id, each.score});
    fused += ndcg_of(ranked, query.judged) / 3;
  }
  CHECK(run_named(report, "learned").ranking.ndcg_at_10.mean == doctest::Approx(learned));
  CHECK(run_named(report, "fused").ranking.ndcg_at_10.mean == doctest::Approx(fused));
  CHECK(run_named(report, "dense").ranking.ndcg_at_10.mean == run_named(without, "dense").ranking.ndcg_at_10.mean);
  CHECK_FALSE(run_named(report, "learned").ndcg_gain_over_fused);
  CHECK(run_named(report, "maxsim").ndcg_gain_over_fused);
}
