// Measures an index on hand-written questions, each with the passages that answer it, or with none: `rag-eval
// questions`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/eval/answer_quality.h"
#include "measure/eval/dataset.h"
#include "measure/eval/measure.h"
#include "model/hub/models.h"
#include "rag/answer/pipeline.h"
#include "rag/index/store.h"

namespace frugal {

/// What became of one question.
struct QuestionResult {
  EvalQuery query;
  /// The place of its gold passage in the ranking, from 1; nullopt: it is not there, or the question has none.
  std::optional<int64_t> gold_rank;
  AnswerOutcome outcome;
};

/// The questions that name a gold passage: shares whose passage is among the first 1, 5 and 10, and the mean of
/// 1 / place, 0 beyond the tenth.
struct GoldRanks {
  Measure first, first_5, first_10, mrr_at_10;
  int64_t questions = 0;
};

struct QuestionReport {
  std::string file;  // its name
  int64_t documents = 0, chunks = 0;
  std::optional<GoldRanks> ranks;  // nullopt: no question names a passage
  std::map<Language, GoldRanks> ranks_by_language;
  AnswerQuality answers;
  std::vector<QuestionResult> questions;
};

/// Asks all questions, at least one. A question with neither gold passages nor answers is one that the index does not
/// answer. `progress` is called after each question; may be empty. Throws what the pipeline throws.
QuestionReport evaluate_questions(const std::string& file, std::span<const EvalQuery> questions, Store& store,
                                  Models& models, const PipelineOptions& options,
                                  const std::function<void(int64_t done, int64_t total)>& progress = {});

/// JSON as documented in docs/tools/rag-eval.md. indent: spaces per level; below 0: one line.
std::string question_report_to_json(const QuestionReport& report, int indent);
/// Tables in Markdown, at most 100 columns wide: the figures, then each question that did not end well.
std::string question_report_to_markdown(const QuestionReport& report);

}  // namespace frugal
