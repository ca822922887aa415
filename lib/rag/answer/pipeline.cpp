// How a list of stages runs.
//
// Stages run in the order of the list. Before each, the pipeline decides whether it runs: a stage that is off is
// reported in the reply (Stage::report_off); a stage whose deadline group is late is reported there as skipped. When a
// stage sets `answered`, as recall does on a hit, the run ends, and later stages are neither run nor reported.
//
// Time is measured by record, not by stage: adjacent stages with the same record run inside one Trace::stage(), so that
// all stages that search appear as "retrieve". A stage that is skipped does not end a record. A stage without a record
// is too short to be timed.
//
// After the last stage the embedder is released, and the models unload what is not in use if memory is short. This, and
// the last reading of memory, counts as `other`: records never overlap, so the total minus their sum is the time
// outside.
//
// The pipeline knows no stage by name, except for the names of records in Timings. A stage that throws ends the
// question: what may fail without ending it (HyDE) is caught by the stage itself.
#include "rag/answer/pipeline.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "rag/answer/memory_peak.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/filter/search_operators.h"
#include "rag/prompt/prompt.h"
#include "rag/reply/cite.h"

namespace frugal {
namespace {

using StageIterator = std::span<const Stage>::iterator;

// True if the stage does not run; then the reply and the trace say why.
bool skip_if_off_or_late(const Stage& stage, QuestionState& state) {
  if (stage.off.empty()) return !stage.deadline_group.empty() && state.skip_if_late(stage.deadline_group);
  state.skip(stage);
  return true;
}

// The first stage that runs, from `stage` on.
StageIterator next_to_run(StageIterator stage, QuestionState& state) {
  if (state.answered) return state.stages.end();
  while (stage != state.stages.end() && skip_if_off_or_late(*stage, state)) ++stage;
  return stage;
}

void run_stages(QuestionState& state) {
  const StageIterator end = state.stages.end();
  StageIterator stage = next_to_run(state.stages.begin(), state);
  while (stage != end) {
    const std::string_view record = stage->record;
    const auto run_record = [&] {
      do {
        stage->run(state);
        stage = next_to_run(stage + 1, state);
      } while (stage != end && stage->record == record);
    };
    if (record.empty())
      run_record();
    else
      state.trace.stage(record, run_record);
  }
}

Timings timings_of(const Trace& trace) {
  Timings t;
  int64_t in_stages_ns = 0;
  const auto take = [&](std::string_view stage) {
    const int64_t ns = trace.elapsed_ns(stage);
    in_stages_ns += ns;
    return to_milliseconds(ns);
  };
  t.startup_ms = take("startup");
  t.cache_ms = take("cache");
  t.hyde_ms = take("hyde");
  t.embed_ms = take("embed");
  t.retrieve_ms = take("retrieve");
  t.rerank_ms = take("rerank");
  t.answer_ms = take("answer");
  const int64_t total_ns = trace.total_ns();
  t.total_ms = to_milliseconds(total_ns);
  t.other_ms = to_milliseconds(total_ns - in_stages_ns);
  return t;
}

}  // namespace

std::string PipelineOptions::key() const {
  return fmt::format("{}template={}\n", settings_text(*this), kPromptTemplate);
}

Pipeline::Pipeline(Store& store, Models& models, const LawTable& laws, PipelineOptions options,
                   const AnswerCache* answers, std::string index_name, const QuestionVectors* vectors)
    : options_(std::move(options)),
      resources_{store, models, laws, options_, answers, vectors, std::move(index_name)},
      stages_(all_stages(resources_)) {
  if (const std::string why = dense_off_reason(resources_); !why.empty() && !options_.retrieve.sparse)
    throw Error(Code::usage,
                fmt::format("nothing to search with: sparse search is switched off, dense search: {}", why))
        .hint("leave --no-sparse or --no-dense out; rag-index add without --no-embed makes vectors");
}

Reply Pipeline::run(std::span<const Stage> stages, const Query& query, const TokenSink& stream, Trace trace) {
  ChunkFilter filter = query.filter;
  const std::string text = query.has_operators ? take_operators(query.text, filter) : query.text;
  QuestionState state(read_question(text, resources_.laws), std::move(filter), query, stages, stream, std::move(trace),
                      options_.deadline_ms);
  run_stages(state);
  look_at_sources(state.reply.citations);  // of an answer from the cache, too
  state.embedder.reset();
  resources_.models.unload_idle();
  state.reply.memory = memory_peak(state.trace, options_.measure_pss);
  state.reply.timings = timings_of(state.trace);
  return std::move(state.reply);
}

bool is_as_asked(const Reply& reply, AnswerMode asked) {
  if (asked == AnswerMode::none) return !reply.hits.empty();
  return reply.answer.text && (asked == AnswerMode::automatic || asked == reply.answer.mode);
}

}  // namespace frugal
