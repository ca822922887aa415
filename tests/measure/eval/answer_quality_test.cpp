#include "measure/eval/answer_quality.h"

#include <doctest/doctest.h>

#include "rag/fakes.h"

using namespace frugal;
using frugal::testing::FakeModels;
using frugal::testing::FakeStore;

namespace {

AnswerOutcome outcome(QuestionKind kind, std::optional<double> confidence, bool right = false,
                      Language language = Language::english) {
  AnswerOutcome made;
  made.kind = kind;
  made.language = language;
  made.confidence = confidence;
  made.right = right;
  return made;
}

const RiskPoint* point_at(const AnswerFigures& figures, double threshold) {
  for (const RiskPoint& point : figures.curve)
    if (point.threshold == threshold) return &point;
  return nullptr;
}

// The index of a harbour office: two passages, told apart by their names.
struct Office {
  Office() {
    hours = store.add("hours.md", "The harbour office opens at six. Ships report to the master.").id;
    tides = store.add("tides.md", "Tide tables hang beside the door of the harbour office.").id;
  }
  AnswerJudge judge(float abstain_below) {
    PipelineOptions options;
    options.abstain_below = abstain_below;
    return {store, models, options, "office", [this](const EvalQuery& query, int64_t chunk) {
              return query.judged.contains(chunk == hours ? "hours" : "tides");
            }};
  }
  FakeStore store;
  FakeModels models;
  int64_t hours = 0, tides = 0;
};

EvalQuery query(std::string text, std::vector<std::string> answers, Judgements judged) {
  return {"q", std::move(text), std::move(answers), std::move(judged), Language::english};
}

const EvalQuery kOpens = query("when does the harbour office open: opens at", {"six"}, {{"hours", 1}});

}  // namespace

TEST_CASE("the curve says for each threshold how many get an answer, how many of them wrongly, and what is refused") {
  using enum QuestionKind;
  const std::vector<AnswerOutcome> outcomes{outcome(answerable, 0.9, true), outcome(answerable, 0.8, false),
                                            outcome(answerable, 0.7, true), outcome(answerable, std::nullopt),
                                            outcome(unanswerable, 0.85),    outcome(unanswerable, 0.1),
                                            outcome(foreign, 0.75),         outcome(foreign, std::nullopt)};
  const AnswerFigures figures = figures_of(outcomes);
  const RiskPoint* all = point_at(figures, 0.7);
  REQUIRE(all);
  CHECK(all->coverage == doctest::Approx(0.75));  // one of four never gets an answer
  CHECK(all->risk == doctest::Approx(1.0 / 3));
  CHECK(*all->unanswerable_abstained == 0.5);
  CHECK(*all->foreign_abstained == 0.5);
  const RiskPoint* half = point_at(figures, 0.8);
  REQUIRE(half);
  CHECK(half->coverage == doctest::Approx(0.5));
  CHECK(half->risk == doctest::Approx(0.5));
  CHECK(*half->foreign_abstained == 1);
  REQUIRE(point_at(figures, 0.9));
  CHECK(figures.curve.size() == 3);
  CHECK(figures.curve.front().threshold == 0.7);
}

TEST_CASE("confidence is judged on all answers, those to questions without an answer being wrong") {
  using enum QuestionKind;
  const std::vector<AnswerOutcome> outcomes{outcome(answerable, 0.9, true), outcome(answerable, 0.5, false),
                                            outcome(unanswerable, 0.95), outcome(foreign, std::nullopt)};
  const AnswerFigures figures = figures_of(outcomes);
  CHECK(figures.answerable_confidence->auroc->mean == 1);
  CHECK(figures.answerable_confidence->answers == 2);
  CHECK(figures.confidence->auroc->mean == 0.5);
  CHECK(figures.confidence->answers == 3);
  CHECK(figures.questions == std::array<int64_t, 3>{2, 1, 1});
}

TEST_CASE("an answer is judged by its quotes and by the passage that it cites") {
  Office office;
  AnswerJudge judge = office.judge(0);
  const AnswerOutcome right = judge.ask(kOpens, QuestionKind::answerable).outcome;
  CHECK(right.right);
  CHECK(right.quote_holds_answer == 1.0);
  CHECK(right.gold_cited == 1.0);
  CHECK(right.citation_precision == 1.0);
  CHECK(right.quotes_exact == 1.0);
  CHECK(right.exact_match == 0.0);  // a sentence is not the answer

  EvalQuery elsewhere = kOpens;
  elsewhere.judged = {{"tides", 1}};
  const AnswerOutcome other_passage = judge.ask(elsewhere, QuestionKind::answerable).outcome;
  CHECK(other_passage.right);  // it says "six"
  CHECK(other_passage.gold_cited == 0.0);

  EvalQuery no_answers = elsewhere;
  no_answers.answers.clear();
  const AnswerOutcome by_passage = judge.ask(no_answers, QuestionKind::answerable).outcome;
  CHECK_FALSE(by_passage.right);
  CHECK_FALSE(by_passage.quote_holds_answer.has_value());
}

TEST_CASE("exact match and F1 are of the short answer, if a reader found one; the run's own keys stay of the text") {
  Office office;
  office.store.add("ferry.md", "The harbour office sold the ferry in 1932.");
  office.models.fake_reader.emplace();
  AnswerJudge judge = office.judge(0);
  const EvalQuery sold = query("When was the ferry sold by the harbour office?", {"1932"}, {});
  const AnswerOutcome read = judge.ask(sold, QuestionKind::answerable).outcome;
  CHECK(read.span == "1932");
  CHECK(read.exact_match == 1.0);
  CHECK(read.f1 == 1.0);
  const AnswerQuality quality = answer_quality(judge, {std::span(&sold, 1), {}, {}});
  CHECK(quality.all.exact_match->mean == 1.0);
  CHECK(quality.exact_match == 0.0);
}

TEST_CASE("an answer that the threshold holds back has its confidence, and counts as right if it would be") {
  Office office;
  AnswerJudge strict = office.judge(1);
  const AnswerOutcome held_back = strict.ask(kOpens, QuestionKind::answerable).outcome;
  CHECK(held_back.abstained);
  CHECK(held_back.right);
  CHECK(held_back.quote_holds_answer == 0.0);
  CHECK(held_back.gold_cited == 0.0);
  CHECK_FALSE(held_back.citation_precision.has_value());
  AnswerJudge open = office.judge(0);
  CHECK(held_back.confidence == open.ask(kOpens, QuestionKind::answerable).outcome.confidence);
  CHECK_FALSE(open.ask(kOpens, QuestionKind::foreign).outcome.right);
}

TEST_CASE("figures are given by kind of question and by language") {
  Office office;
  AnswerJudge judge = office.judge(0.5f);
  std::vector<EvalQuery> answerable{kOpens, kOpens};
  answerable[1].language = Language::portuguese;
  const std::vector<EvalQuery> foreign{query("boiling temperature of tungsten", {}, {})};
  int64_t asked = 0;
  const AnswerQuality quality = answer_quality(judge, {answerable, {}, foreign}, [&](int64_t done, int64_t total) {
    asked = done;
    CHECK(total == 3);
  });
  CHECK(asked == 3);
  CHECK(quality.all.questions == std::array<int64_t, 3>{2, 0, 1});
  CHECK(quality.all.abstained[2]->mean == 1);
  CHECK_FALSE(quality.all.abstained[1].has_value());
  CHECK(quality.true_abstention == 1.0);
  REQUIRE(quality.by_language.contains(Language::portuguese));
  CHECK(quality.by_language.at(Language::portuguese).questions == std::array<int64_t, 3>{1, 0, 0});
  CHECK(quality.answer_contained == quality.all.quote_holds_answer->mean);
  REQUIRE_FALSE(quality.stage_times.empty());
  CHECK(quality.stage_times.back().stage == "total");
}
