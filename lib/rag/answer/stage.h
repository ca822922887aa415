// The pipeline as data: a stage is a name, a reason why it is off, and what it does to a question on its way.
// --no-rerank, a deadline, an ablation of rag-eval and a test's fake change a list of stages, not the pipeline. The
// list is in stages/stage_list.h, and each stage in a file of its own beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/generate/generator.h"
#include "model/hub/models.h"
#include "rag/answer/answer_cache.h"
#include "rag/answer/query.h"
#include "rag/answer/question.h"
#include "rag/index/store.h"
#include "telemetry/trace.h"

namespace frugal {

struct PipelineOptions;
struct Asking;
struct Stage;

/// How a reply tells that a stage is off: by a line "name: why" of Reply::skipped, or not there, because a field of its
/// own or another stage's line tells it.
void report_as_skipped(Reply& reply, const Stage& stage);
void reported_elsewhere(Reply& reply, const Stage& stage);

struct Stage {
  std::string_view name;
  std::function<void(Asking&)> run;
  std::string off = {};  // why it does not run; empty: it runs
  /// Of the trace. Stages in a row that run under one record are timed as one; empty: too little to be timed.
  std::string_view record = name;
  /// The name under which a deadline that is over leaves it out; empty: it runs however late it is.
  std::string_view deadline_group = {};
  void (*report_off)(Reply&, const Stage&) = report_as_skipped;
};

/// Leaves a stage out; one that is off keeps its own reason. Throws Error(internal) if there is none of that name.
void switch_off(std::vector<Stage>& stages, std::string_view name, std::string_view why = "switched off");
/// Throws Error(internal) if there is none of that name.
const Stage& stage_named(std::span<const Stage> stages, std::string_view name);
/// Names of the stages that run, in order, with a space between.
std::string names_that_run(std::span<const Stage> stages);

/// What the stages work with, borrowed for the life of a pipeline. `answers` and `vectors` may be null.
struct Resources {
  Store& store;
  Models& models;
  const LawTable& laws;
  const PipelineOptions& options;
  const AnswerCache* answers;
  const QuestionVectors* vectors;
  std::string index_name;  // in messages and in the answers' keys
};

/// The mode that `automatic` stands for with these models; reads the generator's table of contents for it.
AnswerMode answer_mode(const Resources& resources);
/// Why nothing can be searched by vectors; empty if it can.
std::string dense_off_reason(const Resources& resources);

/// One question on its way: what is known of it so far, and the clock.
struct Asking {
  Asking(Question parsed, const Query& query, std::span<const Stage> stage_list, const TokenSink& sink,
         Trace&& started_trace, int64_t deadline_ms);

  /// Whether the stage of that name is there and not off.
  bool runs(std::string_view stage) const;
  /// Puts a stage that is off on record.
  void skip(const Stage& stage);
  /// Whether the deadline is over for `what`, which then goes on record as left out. The first verdict stands for all
  /// that ask under one name in a row.
  bool skip_if_late(std::string_view what);
  /// Of the deadline, at least 1; 0 if there is none.
  int64_t remaining_ms() const;

  const Question question;
  const std::span<const Stage> stages;
  const TokenSink& stream;
  Trace trace;
  Reply reply;
  bool answered = false;  // no stage is needed any more
  CacheKey key;
  std::string passage;                 // that hyde wrote
  std::shared_ptr<Embedder> embedder;  // from its first use to its last
  std::vector<float> vector;           // of the question, [dimension]; empty: no dense list
  std::vector<ScoredChunk> dense, sparse;

 private:
  int64_t deadline_ms_;
  std::string_view last_group_;  // what skip_if_late() was last asked about
  bool last_was_late_ = false;
  Trace::Clock::time_point began_ = Trace::Clock::now();
};

}  // namespace frugal
