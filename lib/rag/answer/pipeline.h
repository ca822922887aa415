// Answers a question, with citations, by a list of stages that are each on or off (stages/stage_list.h). The pipeline
// parses the question once, skips stages that are off or past the deadline, and times the others. The work itself is in
// the files of the stages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/generate/generator.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/hyde.h"
#include "rag/answer/question.h"
#include "rag/answer/rerank.h"
#include "rag/answer/retrieve.h"
#include "rag/answer/stage.h"
#include "rag/evidence/answer_extract.h"
#include "rag/reply/reply.h"
#include "telemetry/trace.h"

namespace frugal {

struct PipelineOptions {
  bool dense = true;
  RetrieveOptions retrieve;
  int64_t top_k = 10;
  float min_score = 0;
  int64_t images = 3;
  HydeOptions hyde;
  RerankOptions rerank;
  AnswerMode answer = AnswerMode::automatic;
  QuoteOptions extract;
  GenerateOptions generate;
  /// Below this confidence (evidence.h) the reply is an abstention.
  float abstain_below = 0.15f;
  /// With AnswerMode::automatic, a generator with fewer weights is not used: small ones invent
  /// (docs/tools/rag-query.md).
  int64_t min_generator_parameters = 1'000'000'000;
  /// Share of the content words of a generated sentence that its source must contain.
  float min_support = 0.6f;
  int64_t deadline_ms = 0;  // for the whole question, from the call of ask(); 0: none
  /// File with the secret of the delimiters around sources (boundary.h); empty: each process makes its own.
  std::filesystem::path boundary_key;
  bool measure_pss = false;  // slow: the kernel walks the page tables for a millisecond or more

  /// Visits all fields except the last two, which change no answer.
  template <typename F>
  void visit(F&& f) {
    f("retrieval.dense", dense, {"search by vectors"});
    f(retrieve);
    f("retrieval.top_k", top_k, {"chunks to show", Range{1, 1e6}});
    f("retrieval.min_score", min_score, {"minimum fused score of a chunk that is shown, 0 to 1", Range{0, 1}});
    f("retrieval.images", images,
      {"images to show beside the hits, if the index has any (rag-index add --image-embedder); 0: do not search them",
       Range{0, 1e6}});
    f(rerank);
    f("answer.mode", answer,
      {"extract (quote a sentence), generate (the generator writes from the sources), auto (generate if the generator "
       "is large enough, else extract) or none (hits only)"});
    f("answer.deadline_ms", deadline_ms,
      {"time limit of a question in milliseconds: stages that would begin after it are skipped; 0: none",
       Range{0, 1e9}});
    f("answer.abstain_below", abstain_below,
      {"minimum confidence of an answer, 0 to 1; below it the answer is \"not in the sources\"", Range{0, 1}});
    f("answer.min_generator_parameters", min_generator_parameters,
      {"minimum number of weights of a generator that answer.mode auto uses; smaller ones invent facts"});
    f("answer.min_support", min_support, kInternal);
    f(hyde);
    f(extract);
    f(generate);
  }
  /// All options that change answers, and the version of the prompt, as text for CacheKey::options.
  std::string key() const;
};

class Pipeline {
 public:
  /// Borrows its arguments; `answers` and `vectors` may be null: no cache. `index_name` is the folder of the index, for
  /// messages and for the keys of cached answers. Throws Error(usage) if neither of the two searches would run.
  Pipeline(Store& store, Models& models, const LawTable& laws, PipelineOptions options, const AnswerCache* answers,
           std::string index_name, const QuestionVectors* vectors = nullptr);
  Pipeline(const Pipeline&) = delete;  // the stages hold references to its options
  Pipeline& operator=(const Pipeline&) = delete;

  /// Answers a question by stages(). A generated answer also goes to `stream` while it is written, each statement when
  /// it has been checked; an extracted one does not. A `trace` that began with the process makes the timings of the
  /// reply begin there. An abstention is a reply, not an error. Throws Error(bad_input) if the question is empty, too
  /// long or not UTF-8, Error(mismatch) if the index was made with another embedder, Error(missing) if a model is
  /// missing, Error(over_budget).
  Reply ask(const Query& query, const TokenSink& stream = {}, Trace trace = Trace(true)) {
    return run(stages_, query, stream, std::move(trace));
  }

  /// The stages that ask() runs.
  const std::vector<Stage>& stages() const { return stages_; }
  /// As ask(), by another list of stages: a copy of stages() with some switched off, replaced or added.
  Reply run(std::span<const Stage> stages, const Query& query, const TokenSink& stream = {}, Trace trace = Trace(true));

 private:
  const PipelineOptions options_;
  const Resources resources_;
  const std::vector<Stage> stages_;
};

/// Whether the reply has what was asked for: an answer of that kind or, if none was asked for, at least one hit.
bool is_as_asked(const Reply& reply, AnswerMode asked);

/// Opens the embedder of `models`, which must be the one that the index was made with. Throws Error(mismatch) with a
/// hint how to repair that, and what opening a model throws.
std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name);

/// The same for the embedder of images.
std::shared_ptr<ImageEmbedder> image_embedder_for(const Store& store, Models& models, std::string_view index_name);

}  // namespace frugal
