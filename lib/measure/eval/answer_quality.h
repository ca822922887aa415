// How well questions are answered, and how often they are refused, where the right answers are known.
#pragma once

#include <optional>
#include <span>

#include "measure/eval/dataset.h"
#include "rag/answer/pipeline.h"

namespace frugal {

struct AnswerQuality {
  std::optional<double> exact_match, f1, answer_contained;  // where the set has answers
  std::optional<double> false_abstention;                   // share of these questions that were refused
  std::optional<double> true_abstention;                    // share of foreign questions that were refused
};

/// `foreign`: questions that the index cannot answer; may be empty.
AnswerQuality answer_quality(Pipeline& pipeline, std::span<const EvalQuery> queries,
                             std::span<const EvalQuery> foreign);

}  // namespace frugal
