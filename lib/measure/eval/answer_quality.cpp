#include "measure/eval/answer_quality.h"

#include <vector>

#include "base/statistics.h"

namespace frugal {
namespace {

double abstention_rate(Pipeline& pipeline, std::span<const EvalQuery> queries) {
  double count = 0;
  for (const EvalQuery& query : queries) count += pipeline.ask({{}, query.text}).answer.abstained;
  return count / static_cast<double>(queries.size());
}

}  // namespace

AnswerQuality answer_quality(Pipeline& pipeline, std::span<const EvalQuery> queries,
                             std::span<const EvalQuery> foreign) {
  std::vector<double> exact, f1, contained, abstained;
  for (const EvalQuery& query : queries) {
    const Reply reply = pipeline.ask({{}, query.text});
    abstained.push_back(reply.answer.abstained);
    if (query.answers.empty()) continue;
    const std::string text = reply.answer.text.value_or("");
    exact.push_back(exact_match(text, query.answers));
    f1.push_back(answer_f1(text, query.answers));
    contained.push_back(answer_contained(text, query.answers));
  }
  AnswerQuality quality;
  quality.false_abstention = mean(abstained);
  if (!exact.empty()) {
    quality.exact_match = mean(exact);
    quality.f1 = mean(f1);
    quality.answer_contained = mean(contained);
  }
  if (!foreign.empty()) quality.true_abstention = abstention_rate(pipeline, foreign);
  return quality;
}

}  // namespace frugal
