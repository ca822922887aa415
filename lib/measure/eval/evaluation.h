// An ablation of retrieval: asks the questions of a set by each list alone, by all of them, by these and one more
// stage, and by all stages, and measures each ranking with confidence intervals. Every row is the pipeline of rag-query
// with some stages switched off. A row whose stage is off anyway is skipped, with the reason of the stage.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "measure/eval/answer_quality.h"
#include "measure/eval/dataset.h"
#include "measure/eval/measure.h"
#include "measure/eval/stage_times.h"
#include "model/hub/models.h"
#include "rag/answer/pipeline.h"
#include "rag/index/store.h"

namespace frugal {

struct EvalOptions {
  PipelineOptions pipeline;
  int64_t ranking_depth = 100;  // documents ranked per query, for the metrics and a TREC run
  /// Also answer every question by extraction, which embeds a few sentences for each.
  bool answers = false;
  /// Questions that the index seems to answer and does not, and questions about something else, to measure abstention.
  /// Used only with `answers`.
  std::vector<EvalQuery> unanswerable, foreign;
  /// Called while `doing` ("ranking", "answering") goes on; may be empty.
  std::function<void(std::string_view doing, int64_t done, int64_t total)> progress;
};

/// Means over queries.
struct RankingMeasures {
  int64_t queries = 0;
  Measure ndcg_at_10, mrr_at_10, recall_at_1, recall_at_5, recall_at_10;
};

struct EvalRun {
  std::string name;     // sparse, dense, learned, fused, a stage that is added to fused (rerank, hyde), full
  std::string skipped;  // why it did not run, with no other field set; empty: it ran
  RankingMeasures ranking;
  std::map<Language, RankingMeasures> ranking_by_language;
  /// nDCG@10 of this run minus that of the best single list, paired by query. Only for the run fused and
  /// those with the same stages.
  std::optional<Measure> ndcg_gain;
  /// nDCG@10 of this run minus that of fused, paired by query; nullopt for single lists and runs with the stages of
  /// fused.
  std::optional<Measure> ndcg_gain_over_fused;
  std::optional<double> hyde_share;      // share of the queries for which HyDE ran; nullopt: its stage is off
  double ms_per_query = 0;               // embedding (in batches), searching and ranking
  std::vector<StageTime> stage_times;    // the same, by stage
  std::optional<AnswerQuality> answers;  // if EvalOptions::answers, for the run full and those with the same stages
};

struct EvalReport {
  std::string set;
  int64_t documents = 0, chunks = 0, queries = 0;
  std::vector<EvalRun> runs;
  uint64_t peak_anon_bytes = 0;
};

/// Runs all rows. `store` must hold the corpus of the set, with its documents' _id as external_id. A row with the same
/// stages as an earlier one is not run again but shares its figures. The fused ranking is written to `trec_run`, if
/// that is not null, in the format of trec_eval. Throws what the pipeline throws.
EvalReport evaluate(const EvalSet& set, Store& store, Models& models, const EvalOptions& options,
                    std::ostream* trec_run = nullptr);

/// JSON as documented in docs/tools/rag-eval.md. indent: spaces per level; below 0: one line.
std::string report_to_json(const EvalReport& report, int indent);
/// Tables in Markdown, at most 100 columns wide: the rankings, the times, and the answers, if measured.
std::string report_to_markdown(const EvalReport& report);

}  // namespace frugal
