// One question from words to a cited answer, by a list of stages, each of them on or off (stages/stage_list.h).
// It reads the question once, and owns the deadline and the record of the stages; what a stage does is in its file.
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
#include "rag/answer/answer_extract.h"
#include "rag/answer/hyde.h"
#include "rag/answer/query.h"
#include "rag/answer/question.h"
#include "rag/answer/retrieve.h"
#include "rag/answer/stage.h"
#include "telemetry/trace.h"

namespace frugal {

struct PipelineOptions {
  bool dense = true;
  RetrieveOptions retrieve;
  int64_t top_k = 10;
  float min_score = 0;
  HydeOptions hyde;
  bool rerank = true;
  AnswerMode answer = AnswerMode::automatic;
  QuoteOptions extract;
  GenerateOptions generate;
  /// Below this confidence nothing is answered (evidence.h).
  float abstain_below = 0.5f;
  /// `automatic` generates only with a generator of at least so many weights; smaller ones invent
  /// (docs/tools/rag-query.md).
  int64_t min_generator_parameters = 1'000'000'000;
  /// Share of a generated sentence's content words that its source must hold.
  float min_support = 0.6f;
  int64_t deadline_ms = 0;  // for the whole question; 0: none
  /// Where the secret of the sources' delimiters is kept (boundary.h); empty: each process has its own.
  std::filesystem::path boundary_key;
  bool measure_pss = false;  // walks the page tables: a millisecond or more

  /// All but the last two, which change no answer.
  template <typename F>
  void visit(F&& f) {
    f("retrieval.dense", dense, {"search by vectors"});
    f(retrieve);
    f("retrieval.top_k", top_k, {"chunks to show", Range{1, 1e6}});
    f("retrieval.min_score", min_score, {"minimum fused score of a chunk that is shown, 0 to 1", Range{0, 1}});
    f("rerank.enabled", rerank,
      {"rerank the hits; no reranker exists yet, so the stage is skipped and --explain says why"});
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
  /// Everything that an answer depends on, as text for the cache's key.
  std::string key() const;
};

class Pipeline {
 public:
  /// Borrows all; `answers` and `vectors` may be null. `index_name` names the index in the answers' keys (its folder).
  Pipeline(Store& store, Models& models, const LawTable& laws, PipelineOptions options, const AnswerCache* answers,
           std::string index_name, const QuestionVectors* vectors = nullptr);
  Pipeline(const Pipeline&) = delete;  // the stages know where its options are
  Pipeline& operator=(const Pipeline&) = delete;

  /// Text goes to `stream` as a generator writes it; an extracted answer comes whole in the reply. A `trace` that began
  /// with the process gives a reply whose timings cover it from its start. Throws Error(bad_input) for a question that
  /// is empty, too long or not UTF-8; Error(mismatch) if the index was made with another embedder; Error(missing) if a
  /// model it needs is not there. "Not in the sources" is a reply, not an error.
  Reply ask(const Query& query, const TokenSink& stream = {}, Trace trace = Trace(true)) {
    return run(stages_, query, stream, std::move(trace));
  }

  /// The stages that ask() runs, and the same question by another list: a copy of it with stages switched off or added.
  const std::vector<Stage>& stages() const { return stages_; }
  Reply run(std::span<const Stage> stages, const Query& query, const TokenSink& stream = {}, Trace trace = Trace(true));

 private:
  const PipelineOptions options_;
  const Resources resources_;
  const std::vector<Stage> stages_;
};

/// The embedder of `models`, which must be the one that made the index. Throws Error(mismatch) with the command that
/// repairs it.
std::shared_ptr<Embedder> embedder_for(const Store& store, Models& models, std::string_view index_name);

}  // namespace frugal
