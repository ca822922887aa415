// A set asked of an index by several lists of stages: words only, vectors only, both fused, and all there is; measured,
// with intervals. Every row is a run of the pipeline that rag-query runs, with some of its stages switched off. A row
// whose stage cannot run is skipped with the stage's reason, and counts as no measurement.
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
  int64_t ranking_depth = 100;  // documents of a query that go into a TREC run
  /// Also answer by extraction: a few sentences are embedded for each question.
  bool answers = false;
  /// Questions that the index cannot answer, asked to see whether it says so. With answers only.
  std::vector<EvalQuery> foreign;
  std::function<void(int64_t done, int64_t total)> progress;
};

/// A mean over the queries, with its bootstrap interval.
struct Measure {
  double mean = 0;
  Interval ci95;
};

struct EvalRun {
  std::string name;     // sparse, dense, fused, rerank, hyde, full
  std::string skipped;  // why it did not run; then nothing else is set
  Measure ndcg_at_10, mrr_at_10, recall_at_1, recall_at_5, recall_at_10;
  /// nDCG@10 of this run less that of the better of sparse and dense, paired by query. For the stages of fused only.
  std::optional<Measure> ndcg_gain;
  double ms_per_query = 0;  // embedding (in batches), searching, ranking
  AnswerQuality answers;    // where they were asked for; for the stages of full only
};

struct EvalReport {
  std::string set;
  int64_t documents = 0, chunks = 0, queries = 0;
  std::vector<EvalRun> runs;
  uint64_t peak_anon_bytes = 0;
};

/// `store` must hold the set's corpus, its documents named by external_id. The fused ranking goes to `trec_run` if
/// there is one, as trec_eval reads it. A row whose stages are those of a row before is not run again. Throws what the
/// pipeline throws.
EvalReport evaluate(const EvalSet& set, Store& store, Models& models, const EvalOptions& options,
                    std::ostream* trec_run = nullptr);

/// The report as docs/tools/rag-eval.md fixes it; as a Markdown table.
std::string report_to_json(const EvalReport& report, int indent);
std::string report_to_markdown(const EvalReport& report);

}  // namespace frugal
