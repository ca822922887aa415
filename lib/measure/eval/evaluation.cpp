// How an ablation runs.
//
// Each row is a copy of the pipeline's stages with some switched off, so it measures the code that rag-query runs. A
// row exists to show one stage: if that stage is off anyway (there is no reranker, HyDE is not enabled), the row is
// skipped with the stage's reason. Two rows with the same running stages give the same rankings: only the first of them
// runs, and the other shows its figures. Until there is a reranker, `full` is `fused` under another name.
//
// The stages after the ranking are off in every row: judgements name documents, so no text is needed. A document has
// the rank of its best chunk.
//
// Queries are asked in batches. The vectors of a batch are computed together, once for all rows, and the pipeline finds
// them through its cache of question vectors. A row that searches by vectors is charged an equal share of that time for
// each query; the rest of ms_per_query are the timings of the pipeline. The rows take turns batch by batch.
//
// Confidence intervals are bootstrapped over queries. The gain of fusion is paired by query, against the better of the
// two lists by their means.
//
// Answers are measured apart, by a pipeline of their own that extracts: the generator is not evaluated here.
#include "measure/eval/evaluation.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "measure/eval/batch_vectors.h"
#include "measure/eval/document_names.h"
#include "rag/answer/stage.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

// Enough to fill the embedder's batches, few enough that progress moves.
constexpr size_t kQueriesPerBatch = 64;

struct RowPlan {
  std::string_view name;
  std::string_view stage;                 // the stage that the row shows
  std::vector<std::string_view> running;  // the stages that run; empty: all that are on
};

const std::array<RowPlan, 6> kRows{{
    {"sparse", "sparse", {"sparse", "fuse"}},
    {"dense", "dense", {"embed", "dense", "fuse"}},
    {"fused", "fuse", {"embed", "dense", "sparse", "fuse", "references"}},
    {"rerank", "rerank", {"embed", "dense", "sparse", "fuse", "references", "rerank"}},
    {"hyde", "hyde", {"hyde", "embed", "dense", "sparse", "fuse", "references"}},
    {"full", "fuse", {}},
}};
const std::vector<std::string_view> kAfterRanking{"texts", "answer", "show"};

/// The figures of one row, by query.
struct Figures {
  std::vector<double> ndcg, mrr, recall_1, recall_5, recall_10;
  double total_ms = 0;

  void add(const std::vector<std::string>& ranked, const Judgements& judged) {
    ndcg.push_back(ndcg_at(ranked, judged, 10));
    mrr.push_back(reciprocal_rank_at(ranked, judged, 10));
    recall_1.push_back(recall_at(ranked, judged, 1));
    recall_5.push_back(recall_at(ranked, judged, 5));
    recall_10.push_back(recall_at(ranked, judged, 10));
  }
};

struct Row {
  std::string name, skipped;
  std::vector<Stage> stages;
  std::string running;  // names of the stages that run
  Figures figures;
  bool embeds = false;
};

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Row row_of(const RowPlan& plan, const Pipeline& pipeline) {
  Row row{std::string(plan.name), stage_named(pipeline.stages(), plan.stage).off, pipeline.stages(), {}, {}, false};
  for (const Stage& stage : pipeline.stages())
    if ((!plan.running.empty() && !contains(plan.running, stage.name)) || contains(kAfterRanking, stage.name))
      switch_off(row.stages, stage.name);
  row.running = running_stage_names(row.stages);
  row.embeds = stage_named(row.stages, "embed").off.empty();
  return row;
}

Measure measure(const std::vector<double>& values) {
  return {mean(values), bootstrap(values, [](std::span<const double> sample) { return mean(sample); })};
}

EvalRun run_of(const Row& row) {
  EvalRun run;
  run.name = row.name;
  run.skipped = row.skipped;
  if (!run.skipped.empty()) return run;
  run.ndcg_at_10 = measure(row.figures.ndcg);
  run.mrr_at_10 = measure(row.figures.mrr);
  run.recall_at_1 = measure(row.figures.recall_1);
  run.recall_at_5 = measure(row.figures.recall_5);
  run.recall_at_10 = measure(row.figures.recall_10);
  run.ms_per_query = row.figures.total_ms / static_cast<double>(row.figures.ndcg.size());
  return run;
}

class Ablation {
 public:
  Ablation(const EvalSet& set, Store& store, Models& models, const EvalOptions& options, std::ostream* trec_run)
      : set_(set),
        options_(options),
        names_(store),
        pipeline_(store, models, store.laws(), options.pipeline, nullptr, set.name, &vectors_),
        trec_run_(trec_run) {
    for (const RowPlan& plan : kRows) rows_.push_back(row_of(plan, pipeline_));
    if (stage_named(pipeline_.stages(), "embed").off.empty()) embedder_ = embedder_for(store, models, set.name);
  }

  void run() {
    for (size_t begin = 0; begin < set_.queries.size(); begin += kQueriesPerBatch) {
      const size_t count = std::min(kQueriesPerBatch, set_.queries.size() - begin);
      ask(std::span(set_.queries).subspan(begin, count));
      if (options_.progress)
        options_.progress(static_cast<int64_t>(begin + count), static_cast<int64_t>(set_.queries.size()));
    }
  }

  /// `answers`: measured with all stages.
  std::vector<EvalRun> runs(const AnswerQuality& answers) const {
    std::vector<EvalRun> runs;
    for (const Row& row : rows_) {
      runs.push_back(run_of(row.skipped.empty() ? measured_row(row) : row));
      runs.back().name = row.name;
      if (!row.skipped.empty()) continue;
      if (row.running == row_named("fused").running) runs.back().ndcg_gain = gain_over_best_list();
      if (row.running == row_named("full").running) runs.back().answers = answers;
    }
    return runs;
  }

 private:
  void ask(std::span<const EvalQuery> queries) {
    const auto began = std::chrono::steady_clock::now();
    if (embedder_) vectors_.embed(*embedder_, queries);
    const std::chrono::duration<double, std::milli> embedding = std::chrono::steady_clock::now() - began;
    for (Row& row : rows_)
      if (row.skipped.empty() && &measured_row(row) == &row)
        for (const EvalQuery& query : queries)
          ask_one(row, query, embedding.count() / static_cast<double>(queries.size()));
  }

  void ask_one(Row& row, const EvalQuery& query, double embed_ms) {
    const Reply reply = pipeline_.run(row.stages, {{}, query.text}, {}, Trace());
    const Timings& t = reply.timings;
    row.figures.total_ms += t.hyde_ms + t.embed_ms + t.retrieve_ms + t.rerank_ms + (row.embeds ? embed_ms : 0);
    const std::vector<std::string> ranked = names_.rank(reply.ranking, options_.ranking_depth);
    row.figures.add(ranked, query.judged);
    if (trec_run_ && row.name == "fused") write_run(query, ranked);
  }

  // trec_eval sorts by score and breaks ties in its own order, so scores must decrease with the rank.
  void write_run(const EvalQuery& query, const std::vector<std::string>& ranked) {
    for (size_t i = 0; i < ranked.size(); ++i)
      fmt::print(*trec_run_, "{} Q0 {} {} {} frugal-fused\n", query.id, ranked[i], i + 1, ranked.size() - i);
  }

  const Row& row_named(std::string_view name) const {
    return *std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.name == name; });
  }
  // The first row with the same running stages, which holds the figures of both.
  const Row& measured_row(const Row& like) const {
    return *std::find_if(rows_.begin(), rows_.end(),
                         [&](const Row& row) { return row.skipped.empty() && row.running == like.running; });
  }

  std::optional<Measure> gain_over_best_list() const {
    const std::vector<double>* best = nullptr;
    for (const std::string_view name : {"sparse", "dense"}) {
      const Row& row = row_named(name);
      if (!row.skipped.empty()) continue;
      const std::vector<double>& ndcg = measured_row(row).figures.ndcg;
      if (!best || mean(ndcg) > mean(*best)) best = &ndcg;
    }
    if (!best) return std::nullopt;
    const std::vector<double>& fused = measured_row(row_named("fused")).figures.ndcg;
    return Measure{mean(fused) - mean(*best), paired_bootstrap(fused, *best)};
  }

  const EvalSet& set_;
  const EvalOptions& options_;
  DocumentNames names_;
  BatchVectors vectors_;
  Pipeline pipeline_;
  std::ostream* trec_run_;
  std::shared_ptr<Embedder> embedder_;
  std::vector<Row> rows_;
};

// Answers as rag-query does with --answer extract.
AnswerQuality extraction_quality(const EvalSet& set, Store& store, Models& models, const EvalOptions& options) {
  PipelineOptions pipeline_options = options.pipeline;
  pipeline_options.answer = AnswerMode::extract;
  Pipeline pipeline(store, models, store.laws(), pipeline_options, nullptr, set.name);
  return answer_quality(pipeline, set.queries, options.foreign);
}

}  // namespace

EvalReport evaluate(const EvalSet& set, Store& store, Models& models, const EvalOptions& options,
                    std::ostream* trec_run) {
  EvalReport report;
  report.set = set.name;
  const StoreInfo info = store.info();
  report.documents = info.documents;
  report.chunks = info.chunks;
  report.queries = static_cast<int64_t>(set.queries.size());
  Ablation ablation(set, store, models, options, trec_run);
  ablation.run();
  report.runs = ablation.runs(options.answers ? extraction_quality(set, store, models, options) : AnswerQuality());
  report.peak_anon_bytes = read_memory().anon_bytes;
  return report;
}

}  // namespace frugal
