// An ablation of retrieval: asks the questions of a set by words only, by vectors only, by both, and by all stages, and
// measures each ranking with confidence intervals. Every row is the pipeline of rag-query with some stages switched
// off. A row whose stage is off anyway is skipped, with the reason of the stage.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/statistics.h"
#include "measure/eval/answer_quality.h"
#include "measure/eval/dataset.h"
#include "model/hub/models.h"
#include "rag/answer/pipeline.h"
#include "rag/index/store.h"

namespace frugal {

struct EvalOptions {
  PipelineOptions pipeline;
  int64_t ranking_depth = 100;  // documents ranked per query, for the metrics and a TREC run
  /// Also answer every question by extraction, which embeds a few sentences for each.
  bool answers = false;
  /// Questions that the index cannot answer, to measure true abstentions. Used only with `answers`.
  std::vector<EvalQuery> foreign;
  std::function<void(int64_t done, int64_t total)> progress;  // called after each batch of queries; may be empty
};

/// A mean over the queries, with its confidence interval (bootstrap, 95 %).
struct Measure {
  double mean = 0;
  Interval ci95;
};

struct EvalRun {
  std::string name;     // sparse, dense, fused, rerank, hyde, full
  std::string skipped;  // why it did not run, with no other field set; empty: it ran
  Measure ndcg_at_10, mrr_at_10, recall_at_1, recall_at_5, recall_at_10;
  /// nDCG@10 of this run minus that of the better of sparse and dense, paired by query. Only for the run fused and
  /// those with the same stages.
  std::optional<Measure> ndcg_gain;
  double ms_per_query = 0;  // embedding (in batches), searching and ranking
  AnswerQuality answers;    // if EvalOptions::answers, for the run full and those with the same stages
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
/// A Markdown table, with a line about the gain of fusion and one about answers, if measured.
std::string report_to_markdown(const EvalReport& report);

}  // namespace frugal
