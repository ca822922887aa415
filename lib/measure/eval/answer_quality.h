// Measures answers: how well they match the accepted ones, and how often the pipeline abstains.
#pragma once

#include <optional>
#include <span>

#include "measure/eval/dataset.h"
#include "rag/answer/pipeline.h"

namespace frugal {

struct AnswerQuality {
  std::optional<double> exact_match, f1, answer_contained;  // means, 0…1; nullopt: the set has no answers
  std::optional<double> false_abstention;                   // share of abstentions on the questions of the set
  std::optional<double> true_abstention;                    // share of abstentions on foreign questions; nullopt: none
};

/// Asks every question once. `queries`: at least one. `foreign`: questions that the index cannot answer; may be empty.
/// Throws what the pipeline throws.
AnswerQuality answer_quality(Pipeline& pipeline, std::span<const EvalQuery> queries,
                             std::span<const EvalQuery> foreign);

}  // namespace frugal
