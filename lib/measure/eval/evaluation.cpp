// How an ablation runs.
//
// Each row is a copy of the pipeline's stages with some switched off, so it measures the code that rag-query runs. A
// row exists to show one stage: if that stage is off anyway (there is no reranker, HyDE is not enabled), the row is
// skipped with the stage's reason, or left out if the stage is only for some indexes or requests (learned, maxsim). Two
// rows with the same running stages give the same rankings: only the first of them runs, and the other shows its
// figures. Until there is a reranker, `full` is `fused` under another name.
//
// The rows come from the list of stages: each stage that changes the ranking and is not part of `fused` has a row of
// its own, `fused` with that stage. A new stage thus gets its row when it is added to the pipeline.
//
// The stages after the ranking are off in every row: judgements name documents. Texts are fetched only if a stage that
// ranks comes after them. A document has the rank of its best chunk.
//
// Queries are asked in batches. The vectors of a batch are computed together, once for all rows, and the pipeline finds
// them through its cache of question vectors. A row that searches by vectors is charged an equal share of that time for
// each query; the rest of ms_per_query are the timings of the pipeline. The rows take turns batch by batch.
//
// Confidence intervals are bootstrapped over queries. The gain of fusion is paired by query, against the better of the
// two lists by their means.
//
// Answers are measured apart, question by question, by a pipeline of their own (answer_quality.h).
#include "measure/eval/evaluation.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>

#include "measure/eval/batch_vectors.h"
#include "measure/eval/document_names.h"
#include "rag/answer/stage.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

// Enough to fill the embedder's batches, few enough that progress moves.
constexpr size_t kQueriesPerBatch = 64;

using StageNames = std::vector<std::string_view>;

struct RowPlan {
  std::string_view name;
  std::string_view stage;  // the stage that the row shows
  StageNames ranking;      // the stages that rank
};

const StageNames kFused{"embed", "dense", "sparse", "learned", "fuse", "references"};
// The rows of single lists.
constexpr std::array<std::string_view, 3> kLists{"sparse", "dense", "learned"};
constexpr std::string_view kTexts = "texts", kImages = "images";

bool contains(const StageNames& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// False for the stages that cache, fetch, answer and show; images are a list of their own.
bool ranks(const Stage& stage) {
  return !stage.record.empty() && stage.record != "cache" && stage.record != "answer" && stage.name != kTexts &&
         stage.name != kImages;
}

// True for what only some indexes or requests have: where it is off, a reply does not mention it, nor does the report.
bool is_absent(const Stage& stage) {
  return !stage.off.empty() && stage.report_off == reported_elsewhere;
}

std::vector<RowPlan> rows_for(std::span<const Stage> stages) {
  std::vector<RowPlan> rows{{"sparse", "sparse", {"sparse", "fuse"}},
                            {"dense", "dense", {"embed", "dense", "fuse"}},
                            {"learned", "learned", {"embed", "learned", "fuse"}},
                            {"fused", "fuse", kFused}};
  StageNames all;
  // From the last stage to the first: rerank, which all answers may pass, stands before what only some questions need.
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    if (!ranks(*stage)) continue;
    all.push_back(stage->name);
    if (contains(kFused, stage->name)) continue;
    rows.push_back({stage->name, stage->name, kFused});
    rows.back().ranking.push_back(stage->name);
  }
  rows.push_back({"full", "fuse", all});
  std::erase_if(rows, [&](const RowPlan& row) { return is_absent(stage_named(stages, row.stage)); });
  return rows;
}

/// The figures of one row, by query.
struct Figures {
  std::vector<double> ndcg, mrr, recall_1, recall_5, recall_10;
  double total_ms = 0;
  StageTimes times;
  double hyde_ran = 0;  // queries

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

Row row_of(const RowPlan& plan, const Pipeline& pipeline) {
  Row row{std::string(plan.name), stage_named(pipeline.stages(), plan.stage).off, pipeline.stages(), {}, {}, false};
  // From the last stage to the first, as texts are needed only by those after them.
  bool needs_texts = false;
  for (auto stage = pipeline.stages().rbegin(); stage != pipeline.stages().rend(); ++stage) {
    const bool runs = stage->name == kTexts ? needs_texts : contains(plan.ranking, stage->name);
    if (!runs) switch_off(row.stages, stage->name);
    needs_texts |= runs && stage->off.empty();
  }
  row.running = running_stage_names(row.stages);
  row.embeds = stage_named(row.stages, "embed").off.empty();
  return row;
}

/// Of the queries with these indices, at least one.
RankingMeasures measures_of(const Figures& figures, std::span<const size_t> queries) {
  const auto over = [&](const std::vector<double>& all) {
    std::vector<double> values;
    for (const size_t query : queries) values.push_back(all[query]);
    return *measure_of(values);
  };
  return {static_cast<int64_t>(queries.size()),
          over(figures.ndcg),
          over(figures.mrr),
          over(figures.recall_1),
          over(figures.recall_5),
          over(figures.recall_10)};
}

EvalRun run_of(const Row& row, std::span<const EvalQuery> queries) {
  EvalRun run;
  run.name = row.name;
  run.skipped = row.skipped;
  if (!run.skipped.empty()) return run;
  std::vector<size_t> all(queries.size());
  std::iota(all.begin(), all.end(), size_t{0});
  run.ranking = measures_of(row.figures, all);
  std::map<Language, std::vector<size_t>> by_language;
  for (const size_t query : all) by_language[queries[query].language].push_back(query);
  for (const auto& [language, spoken] : by_language)
    run.ranking_by_language[language] = measures_of(row.figures, spoken);
  const auto count = static_cast<double>(queries.size());
  run.ms_per_query = row.figures.total_ms / count;
  run.stage_times = row.figures.times.summary();
  if (stage_named(row.stages, "hyde").off.empty()) run.hyde_share = row.figures.hyde_ran / count;
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
    for (const RowPlan& plan : rows_for(pipeline_.stages())) rows_.push_back(row_of(plan, pipeline_));
    if (stage_named(pipeline_.stages(), "embed").off.empty()) embedder_ = embedder_for(store, models, set.name);
  }

  void run() {
    for (size_t begin = 0; begin < set_.queries.size(); begin += kQueriesPerBatch) {
      const size_t count = std::min(kQueriesPerBatch, set_.queries.size() - begin);
      ask(std::span(set_.queries).subspan(begin, count));
      if (options_.progress)
        options_.progress("ranking", static_cast<int64_t>(begin + count), static_cast<int64_t>(set_.queries.size()));
    }
  }

  /// `answers`: measured with all stages.
  std::vector<EvalRun> runs(const std::optional<AnswerQuality>& answers) const {
    std::vector<EvalRun> runs;
    for (const Row& row : rows_) {
      runs.push_back(run_of(row.skipped.empty() ? measured_row(row) : row, set_.queries));
      runs.back().name = row.name;
      if (!row.skipped.empty()) continue;
      if (row.running == row_named("fused").running)
        runs.back().ndcg_gain = gain_over_best_list();
      else if (adds_to_fused(row))
        runs.back().ndcg_gain_over_fused = gain(measured_row(row), measured_row(row_named("fused")));
      if (row.running == row_named("full").running) runs.back().answers = answers;
    }
    return runs;
  }

 private:
  void ask(std::span<const EvalQuery> queries) {
    const auto began = std::chrono::steady_clock::now();
    const bool with_weights = stage_named(pipeline_.stages(), "learned").off.empty();
    if (embedder_) vectors_.embed(*embedder_, queries, with_weights);
    const std::chrono::duration<double, std::milli> embedding = std::chrono::steady_clock::now() - began;
    for (Row& row : rows_)
      if (row.skipped.empty() && &measured_row(row) == &row)
        for (const EvalQuery& query : queries)
          ask_one(row, query, embedding.count() / static_cast<double>(queries.size()));
  }

  void ask_one(Row& row, const EvalQuery& query, double embed_ms) {
    const Reply reply = pipeline_.run(row.stages, {{}, query.text}, {}, Trace());
    const Timings& t = reply.timings;
    const double ranking_ms = t.hyde_ms + t.embed_ms + t.retrieve_ms + t.rerank_ms + (row.embeds ? embed_ms : 0);
    row.figures.total_ms += ranking_ms;
    Timings charged = t;
    charged.embed_ms += row.embeds ? embed_ms : 0;
    charged.total_ms = ranking_ms;
    row.figures.times.add(charged);
    row.figures.hyde_ran += reply.hyde_ran;
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

  // True if the stages of fused run in the row, and others.
  bool adds_to_fused(const Row& row) const { return !is_list(row) && row_named("fused").skipped.empty(); }
  static bool is_list(const Row& row) { return std::find(kLists.begin(), kLists.end(), row.name) != kLists.end(); }

  static Measure gain(const Row& row, const Row& base) {
    return {mean(row.figures.ndcg) - mean(base.figures.ndcg), paired_bootstrap(row.figures.ndcg, base.figures.ndcg)};
  }

  std::optional<Measure> gain_over_best_list() const {
    const Row* best = nullptr;
    for (const Row& list : rows_) {
      if (!is_list(list) || !list.skipped.empty()) continue;
      const Row& row = measured_row(list);
      if (!best || mean(row.figures.ndcg) > mean(best->figures.ndcg)) best = &row;
    }
    if (!best) return std::nullopt;
    return gain(measured_row(row_named("fused")), *best);
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

AnswerQuality quality_on(const EvalSet& set, Store& store, Models& models, const EvalOptions& options) {
  DocumentNames names(store);
  const auto is_gold = [&](const EvalQuery& query, int64_t chunk) {
    const std::vector<std::string> name = names.rank(std::array{Candidate{.id = chunk}}, 1);
    const auto grade = name.empty() ? query.judged.end() : query.judged.find(name.front());
    return grade != query.judged.end() && grade->second > 0;
  };
  AnswerJudge judge(store, models, options.pipeline, set.name, is_gold);
  const auto progress = [&](int64_t done, int64_t total) {
    if (options.progress) options.progress("answering", done, total);
  };
  return answer_quality(judge, {set.queries, options.unanswerable, options.foreign}, progress);
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
  std::optional<AnswerQuality> answers;
  if (options.answers) answers = quality_on(set, store, models, options);
  report.runs = ablation.runs(answers);
  report.peak_anon_bytes = read_memory().anon_bytes;
  return report;
}

}  // namespace frugal
