#include "measure/eval/question_file.h"

#include "measure/eval/gold_passages.h"

namespace frugal {
namespace {

std::optional<GoldRanks> ranks_of(std::span<const QuestionResult> results, std::optional<Language> language) {
  std::vector<double> first, first_5, first_10, reciprocal;
  for (const QuestionResult& result : results) {
    if (result.query.gold.empty() || (language && result.query.language != *language)) continue;
    const auto is_within = [&](int64_t depth) { return result.gold_rank && *result.gold_rank <= depth; };
    first.push_back(is_within(1));
    first_5.push_back(is_within(5));
    first_10.push_back(is_within(10));
    reciprocal.push_back(is_within(10) ? 1.0 / static_cast<double>(*result.gold_rank) : 0);
  }
  if (first.empty()) return std::nullopt;
  return GoldRanks{*measure_of(first), *measure_of(first_5), *measure_of(first_10), *measure_of(reciprocal),
                   static_cast<int64_t>(first.size())};
}

}  // namespace

QuestionReport evaluate_questions(const std::string& file, std::span<const EvalQuery> questions, Store& store,
                                  Models& models, const PipelineOptions& options,
                                  const std::function<void(int64_t done, int64_t total)>& progress) {
  QuestionReport report;
  report.file = file;
  const StoreInfo info = store.info();
  report.documents = info.documents;
  report.chunks = info.chunks;
  GoldPassages gold(store);
  AnswerJudge judge(store, models, options, file,
                    [&](const EvalQuery& query, int64_t chunk) { return gold.is_gold(query, chunk); });
  std::vector<AnswerOutcome> outcomes;
  StageTimes times;
  for (const EvalQuery& query : questions) {
    const bool answerable = !query.gold.empty() || !query.answers.empty();
    AnswerJudge::Judged judged = judge.ask(query, answerable ? QuestionKind::answerable : QuestionKind::unanswerable);
    times.add(judged.reply.timings);
    outcomes.push_back(judged.outcome);
    report.questions.push_back({query, gold.rank(query, judged.reply.ranking), std::move(judged.outcome)});
    if (progress) progress(static_cast<int64_t>(outcomes.size()), static_cast<int64_t>(questions.size()));
  }
  report.answers = answer_quality_of(outcomes, times);
  report.ranks = ranks_of(report.questions, std::nullopt);
  for (const auto& [language, figures] : report.answers.by_language)
    if (const auto ranks = ranks_of(report.questions, language)) report.ranks_by_language[language] = *ranks;
  return report;
}

}  // namespace frugal
