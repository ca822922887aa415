#include "measure/eval/evaluation.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "telemetry/trace.h"

namespace frugal {
namespace {

using Clock = std::chrono::steady_clock;
// Enough to fill the embedder's batches, few enough that progress moves.
constexpr size_t kQueriesAtOnce = 64;

double elapsed_ms(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

/// Documents of chunks, remembered: every chunk that is ever ranked is fetched once.
class DocumentNames {
 public:
  explicit DocumentNames(Store& store) : store_(store) {}

  /// Documents in the order of their best chunks; a chunk without an external id counts as its document's path, one
  /// that the store does not hold counts as none.
  std::vector<std::string> rank(const std::vector<ScoredChunk>& chunks, int64_t depth) {
    learn(chunks);
    std::vector<std::string> documents;
    std::unordered_set<std::string_view> seen;
    for (const ScoredChunk& chunk : chunks) {
      const auto name = names_.find(chunk.id);
      if (static_cast<int64_t>(documents.size()) == depth) break;
      if (name != names_.end() && seen.insert(name->second).second) documents.push_back(name->second);
    }
    return documents;
  }

 private:
  void learn(const std::vector<ScoredChunk>& chunks) {
    std::vector<int64_t> unknown;
    for (const ScoredChunk& chunk : chunks)
      if (!names_.contains(chunk.id)) unknown.push_back(chunk.id);
    for (Chunk& chunk : store_.fetch(unknown))
      names_[chunk.id] = chunk.external_id.empty() ? std::move(chunk.document) : std::move(chunk.external_id);
  }

  Store& store_;
  std::unordered_map<int64_t, std::string> names_;
};

/// One way of asking, measured query by query.
struct Measured {
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

Measure measure(const std::vector<double>& values) {
  return {mean(values), bootstrap(values, [](std::span<const double> sample) { return mean(sample); })};
}

EvalRun run_of(std::string name, const Measured& measured) {
  EvalRun run;
  run.name = std::move(name);
  run.ndcg_at_10 = measure(measured.ndcg);
  run.mrr_at_10 = measure(measured.mrr);
  run.recall_at_1 = measure(measured.recall_1);
  run.recall_at_5 = measure(measured.recall_5);
  run.recall_at_10 = measure(measured.recall_10);
  run.ms_per_query = measured.total_ms / static_cast<double>(measured.ndcg.size());
  return run;
}

EvalRun skipped_run(std::string name, std::string why) {
  EvalRun run;
  run.name = std::move(name);
  run.skipped = std::move(why);
  return run;
}

std::vector<ScoredChunk> scored(const Ranking& ranking) {
  std::vector<ScoredChunk> chunks;
  for (const Candidate& candidate : ranking.candidates) chunks.push_back({candidate.id, candidate.score});
  return chunks;
}

/// The ablation over one set: what each list finds, alone and fused.
class Ablation {
 public:
  Ablation(const EvalSet& set, Store& store, Models& models, const EvalOptions& options, std::ostream* trec_run)
      : set_(set),
        options_(options),
        names_(store),
        retriever_(store, store.laws(), options.pipeline.retrieve),
        trec_run_(trec_run) {
    if (options.pipeline.dense && !store.embedder_fingerprint().empty())
      embedder_ = embedder_for(store, models, set.name);
  }

  void ask_all() {
    for (size_t begin = 0; begin < set_.queries.size(); begin += kQueriesAtOnce) {
      const size_t count = std::min(kQueriesAtOnce, set_.queries.size() - begin);
      ask(std::span(set_.queries).subspan(begin, count));
      if (options_.progress)
        options_.progress(static_cast<int64_t>(begin + count), static_cast<int64_t>(set_.queries.size()));
    }
  }

  std::vector<EvalRun> runs() const {
    std::vector<EvalRun> runs{run_of("sparse", sparse_)};
    runs.push_back(embedder_ ? run_of("dense", dense_) : skipped_run("dense", "no vectors"));
    runs.push_back(run_of("fused", fused_));
    const bool dense_is_better = embedder_ && mean(dense_.ndcg) > mean(sparse_.ndcg);
    const std::vector<double>& single = dense_is_better ? dense_.ndcg : sparse_.ndcg;
    runs.back().ndcg_gain = Measure{mean(fused_.ndcg) - mean(single), paired_bootstrap(fused_.ndcg, single)};
    return runs;
  }

 private:
  void ask(std::span<const EvalQuery> queries) {
    const auto began = Clock::now();
    const std::vector<float> vectors = embed(queries);
    const double embed_ms = elapsed_ms(began) / static_cast<double>(queries.size());
    const size_t dimension = vectors.size() / queries.size();
    for (size_t i = 0; i < queries.size(); ++i)
      ask_one(queries[i], std::span(vectors).subspan(i * dimension, dimension), embed_ms);
  }

  std::vector<float> embed(std::span<const EvalQuery> queries) {
    if (!embedder_) return {};
    std::vector<std::string_view> texts;
    for (const EvalQuery& query : queries) texts.push_back(query.text);
    std::vector<float> vectors(queries.size() * static_cast<size_t>(embedder_->dimension()));
    embedder_->embed(texts, vectors);
    return vectors;
  }

  void ask_one(const EvalQuery& query, std::span<const float> vector, double embed_ms) {
    auto began = Clock::now();
    const std::vector<ScoredChunk> sparse = retriever_.sparse_list(query.text);
    const double sparse_ms = elapsed_ms(began);
    began = Clock::now();
    std::vector<ScoredChunk> dense;
    if (!vector.empty()) dense = retriever_.dense_list(vector);
    const double dense_ms = embed_ms + elapsed_ms(began);
    began = Clock::now();
    const std::vector<ScoredChunk> fused = scored(retriever_.fuse(query.text, dense, sparse));
    const double fuse_ms = elapsed_ms(began);

    sparse_.total_ms += sparse_ms;
    dense_.total_ms += dense_ms;
    fused_.total_ms += sparse_ms + dense_ms + fuse_ms;
    sparse_.add(names_.rank(sparse, 10), query.judged);
    dense_.add(names_.rank(dense, 10), query.judged);
    const std::vector<std::string> ranked = names_.rank(fused, options_.ranking_depth);
    fused_.add(ranked, query.judged);
    if (trec_run_) write_run(query, ranked);
  }

  // Scores fall with the rank: trec_eval orders by them and breaks ties its own way.
  void write_run(const EvalQuery& query, const std::vector<std::string>& ranked) {
    for (size_t i = 0; i < ranked.size(); ++i)
      fmt::print(*trec_run_, "{} Q0 {} {} {} frugal-fused\n", query.id, ranked[i], i + 1, ranked.size() - i);
  }

  const EvalSet& set_;
  const EvalOptions& options_;
  DocumentNames names_;
  Retriever retriever_;
  std::ostream* trec_run_;
  std::shared_ptr<Embedder> embedder_;
  Measured sparse_, dense_, fused_;
};

double refused(Pipeline& pipeline, const std::vector<EvalQuery>& queries) {
  double count = 0;
  for (const EvalQuery& query : queries) count += pipeline.ask({query.id, query.text}).answer.abstained;
  return count / static_cast<double>(queries.size());
}

// Extraction over the whole set, as `rag-query --answer extract` does it.
void measure_answers(const EvalSet& set, Store& store, Models& models, const EvalOptions& options, EvalRun& run) {
  PipelineOptions asking = options.pipeline;
  asking.answer = AnswerMode::extract;
  Pipeline pipeline(store, models, store.laws(), asking, nullptr, set.name);
  std::vector<double> exact, f1, contained, abstained;
  for (const EvalQuery& query : set.queries) {
    const Reply reply = pipeline.ask({query.id, query.text});
    abstained.push_back(reply.answer.abstained);
    if (query.answers.empty()) continue;
    const std::string text = reply.answer.text.value_or("");
    exact.push_back(exact_match(text, query.answers));
    f1.push_back(answer_f1(text, query.answers));
    contained.push_back(answer_contained(text, query.answers));
  }
  run.false_abstention = mean(abstained);
  if (!exact.empty()) {
    run.exact_match = mean(exact);
    run.f1 = mean(f1);
    run.answer_contained = mean(contained);
  }
  if (!options.foreign.empty()) run.true_abstention = refused(pipeline, options.foreign);
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
  ablation.ask_all();
  report.runs = ablation.runs();
  if (options.answers) measure_answers(set, store, models, options, report.runs.back());
  report.runs.push_back(skipped_run("rerank", "no reranker configured"));
  report.runs.push_back(skipped_run("hyde", "not yet shown to help with these models"));
  // With neither reranker nor hyde, everything together is the fused run.
  report.runs.push_back(report.runs[2]);
  report.runs.back().name = "full";
  report.peak_anon_bytes = read_memory().anon_bytes;
  return report;
}

}  // namespace frugal
