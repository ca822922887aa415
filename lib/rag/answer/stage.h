// The pipeline as data: a stage is a name, a function and, if it is off, the reason. --rerank never, an ablation of
// rag-eval or a fake in a test changes a list of stages, not the pipeline. The full list is stages/stage_list.h; each
// stage is a file beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/generate/generator.h"
#include "model/hub/models.h"
#include "model/nn/reader.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/question.h"
#include "rag/filter/chunk_filter.h"
#include "rag/index/store.h"
#include "rag/reply/reply.h"
#include "telemetry/trace.h"

namespace frugal {

struct PipelineOptions;
struct QuestionState;
struct Stage;

/// The two ways in which a reply reports a stage that is off: as "NAME: REASON" in Reply::skipped; or elsewhere, in a
/// field of its own or in the line of another stage.
void report_as_skipped(Reply& reply, const Stage& stage);
void reported_elsewhere(Reply& reply, const Stage& stage);

struct Stage {
  std::string_view name;
  std::function<void(QuestionState&)> run;
  std::string off = {};  // why it does not run; empty: it runs
  /// Name in the trace and in Timings. Adjacent stages with the same record are timed together; empty: not timed.
  std::string_view record = name;
  /// Adjacent stages of one group are skipped together, under this name, if the deadline has passed when the first of
  /// them would begin; empty: the deadline never skips it.
  std::string_view deadline_group = {};
  void (*report_off)(Reply&, const Stage&) = report_as_skipped;
};

/// Switches a stage off; one that is off already keeps its reason. Throws Error(internal) if `name` is not in the list.
void switch_off(std::vector<Stage>& stages, std::string_view name, std::string_view why = "switched off");
/// Throws Error(internal) if `name` is not in the list.
const Stage& stage_named(std::span<const Stage> stages, std::string_view name);
/// The names of the stages that run, in order, separated by spaces.
std::string running_stage_names(std::span<const Stage> stages);

/// What all stages of a pipeline share, borrowed for its lifetime.
struct Resources {
  Store& store;
  Models& models;
  const LawTable& laws;
  const PipelineOptions& options;
  const AnswerCache* answers;      // null: no cache
  const QuestionVectors* vectors;  // null: no cache
  std::string index_name;          // for messages and keys of cached answers
};

/// PipelineOptions::answer, with `automatic` resolved for these models. Loads no model.
AnswerMode answer_mode(const Resources& resources);
/// Why the stages embed and dense are off; empty: they run.
std::string dense_off_reason(const Resources& resources);
/// Computes the vector of a text, with_weights also its token weights, or finds them in `cache`, which may be null.
TextEmbedding embed_text(Embedder& embedder, const std::string& text, TextRole role, const QuestionVectors* cache,
                         bool with_weights = false);
/// Releases the question's embedder unless the answer uses it: a generator may need its memory.
void release_embedder(QuestionState& state, const Resources& resources);
/// Makes Reply::ranking of all lists, by Reply::fusion; sets the numbers of hits there.
void fuse_lists(QuestionState& state, const Resources& resources);

/// What the reader found in a chunk, and the tokens of the chunk's text that its logits belong to.
struct ChunkReading {
  Reading reading;
  float score = 0;  // relevance and fused score, in logits, for the choice of the chunk that answers
  std::vector<Tokenizer::Piece> pieces;
};

/// Adds it to the reply, and warns of it in the log.
void note_fallback(QuestionState& state, FallbackNote note);

/// The state of one question while it passes through the stages, and its deadline. Not thread-safe.
struct QuestionState {
  QuestionState(Question parsed, ChunkFilter chunk_filter, const Query& query, std::span<const Stage> stage_list,
                const TokenSink& sink, Trace&& started_trace, int64_t deadline_ms);

  /// True if the stage is in the list and not off.
  bool runs(std::string_view stage) const;
  /// Reports a stage that is off in the reply and in the trace.
  void skip(const Stage& stage);
  /// True if the deadline has passed; then `group` is reported as skipped. Consecutive calls with the same group return
  /// the result of the first.
  bool skip_if_late(std::string_view group);
  /// Time left until the deadline, at least 1; 0: there is no deadline.
  int64_t remaining_ms() const;

  /// The chunks that searches may find; null: all.
  const ChunkSet* within() const { return selected ? &*selected : nullptr; }
  /// True if the filter lets no chunk pass, so that there is nothing to search.
  bool nothing_passes() const { return selected && selected->empty(); }

  const Question question;
  const ChunkFilter filter;  // empty: none
  const std::span<const Stage> stages;
  const TokenSink& stream;
  Trace trace;
  Reply reply;
  bool answered = false;  // the reply is complete: no further stage runs
  CacheKey key;
  std::optional<ChunkSet> selected;                 // by select; nullopt: no filter
  std::shared_ptr<Embedder> embedder;               // held from its first use to its last
  std::vector<float> vector;                        // the question's: [dimension], unit length; empty: no dense search
  std::vector<TokenWeight> weights;                 // of the question's tokens; empty: no learned sparse search
  std::optional<float> background;                  // of the first search by vectors (evidence.h)
  std::vector<ScoredChunk> dense, sparse, learned;  // the lists, best first
  std::unordered_map<int64_t, ChunkReading> readings;  // by chunk, of those that the reader has read
  size_t reader = 0;                                   // of Models::readers(), the one of the readings
  std::vector<FoundArticle> articles;                  // in the order of the question, then of the ranking

 private:
  int64_t deadline_ms_;
  std::string_view last_group_;  // of skip_if_late(), and its result
  bool last_was_late_ = false;
  const Trace::Clock::time_point began_ = trace.now();
};

}  // namespace frugal
