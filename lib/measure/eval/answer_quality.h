// Measures answers: how well they match the accepted ones, whether they cite the right passage, when the pipeline
// abstains, and what its confidence is worth. docs/tools/rag-eval.md defines every figure.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/eval/confidence_calibration.h"
#include "measure/eval/dataset.h"
#include "measure/eval/measure.h"
#include "measure/eval/stage_times.h"
#include "rag/answer/pipeline.h"

namespace frugal {

/// `unanswerable`: the index seems to answer the question and does not. `foreign`: it is about something else.
enum class QuestionKind : uint8_t { answerable, unanswerable, foreign };
constexpr std::array<Named<QuestionKind>, 3> names_of(QuestionKind) {
  return {{{QuestionKind::answerable, "answerable"},
           {QuestionKind::unanswerable, "unanswerable"},
           {QuestionKind::foreign, "foreign"}}};
}

/// What became of one question. The optional figures are of answerable questions only.
struct AnswerOutcome {
  QuestionKind kind = QuestionKind::answerable;
  Language language = Language::unknown;
  bool abstained = false;
  /// Of the answer, also if it was held back because of its confidence; nullopt: there was none to give.
  std::optional<double> confidence;
  /// Whether the answer, given or held back, is right: its quotes contain an accepted answer or, if none is known, it
  /// cites a gold passage. False unless the question is answerable.
  bool right = false;
  std::string text;                 // of the answer; empty: abstained
  std::optional<std::string> span;  // the short answer within it; nullopt: no reader found one
  std::string quotes;               // of its citations, one per line
  /// 0…1 and 0 for an abstention; nullopt: no accepted answer is known.
  std::optional<double> exact_match, f1, quote_holds_answer;
  std::optional<double> gold_cited;          // 1: a citation is of a gold passage; nullopt: none is known
  std::optional<double> citation_precision;  // share of the citations that are of one; nullopt: abstained, or as above
  std::optional<double> quotes_exact;        // share of the citations that are in their chunk; nullopt: abstained
};

/// A threshold of confidence, and what would come of it.
struct RiskPoint {
  double threshold = 0;
  double coverage = 0;  // share of the answerable questions that get an answer
  double risk = 0;      // share of these answers that are wrong
  std::optional<double> unanswerable_abstained, foreign_abstained;  // nullopt: no such questions
};

/// The figures of some questions. A field is nullopt if no question has it.
struct AnswerFigures {
  std::array<int64_t, 3> questions{};                 // by kind
  std::array<std::optional<Measure>, 3> abstained{};  // by kind
  std::optional<Measure> exact_match, f1, quote_holds_answer, gold_cited, citation_precision, quotes_exact;
  std::optional<Calibration> answerable_confidence;  // of answers to answerable questions
  std::optional<Calibration> confidence;             // of all answers, those to other questions being wrong
  std::vector<RiskPoint> curve;                      // by rising threshold
};
AnswerFigures figures_of(std::span<const AnswerOutcome> outcomes);

struct AnswerQuality {
  AnswerFigures all;
  std::map<Language, AnswerFigures> by_language;
  std::vector<StageTime> stage_times;
  /// Over the answerable questions; of the text of the answer, normalised as English.
  std::optional<double> exact_match, f1, answer_contained;
  std::optional<double> false_abstention;  // share of abstentions on the answerable questions
  std::optional<double> true_abstention;   // the same on foreign questions; nullopt: none
};

/// Asks questions and judges the replies. Borrows store and models.
class AnswerJudge {
 public:
  /// Whether a chunk, by its id, is one of the passages that answer the query, by its `judged` or its `gold`.
  using IsGold = std::function<bool(const EvalQuery& query, int64_t chunk)>;

  /// Answers are extracted, as with rag-query --answer extract: the generator is not measured here.
  AnswerJudge(Store& store, Models& models, const PipelineOptions& options, const std::string& index_name,
              IsGold is_gold);

  struct Judged {
    Reply reply;
    AnswerOutcome outcome;
  };
  /// Asks a question once; an answerable one whose answer is held back a second time, without the threshold, to see
  /// whether it is right. Throws what the pipeline throws.
  Judged ask(const EvalQuery& query, QuestionKind kind);

 private:
  void judge(const EvalQuery& query, const Reply& reply, AnswerOutcome& outcome) const;
  bool is_exact(const Citation& citation);

  Store& store_;
  Pipeline pipeline_, without_threshold_;
  IsGold is_gold_;
};

/// The questions of a measurement, by kind. At least one is answerable.
struct AnswerQuestions {
  std::span<const EvalQuery> answerable, unanswerable, foreign;
};
/// Asks all questions. `progress`, called with their number after each, may be empty.
AnswerQuality answer_quality(AnswerJudge& judge, const AnswerQuestions& questions,
                             const std::function<void(int64_t done, int64_t total)>& progress = {});
/// The quality of replies that were judged elsewhere. `outcomes`: at least one.
AnswerQuality answer_quality_of(std::span<const AnswerOutcome> outcomes, const StageTimes& times);

}  // namespace frugal
