#include "rag/answer/pipeline.h"

#include <fmt/format.h>

#include "base/units.h"
#include "rag/answer/memory_peak.h"
#include "rag/answer/prompt.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

using StageIterator = std::span<const Stage>::iterator;

// True for a stage that is off or too late, which goes on record.
bool left_out(const Stage& stage, Asking& asking) {
  if (stage.off.empty()) return !stage.late.empty() && asking.too_late(stage.late);
  asking.skip(stage);
  return true;
}

// The next stage that runs, from `stage` on.
StageIterator next_that_runs(StageIterator stage, Asking& asking) {
  if (asking.answered) return asking.stages.end();
  while (stage != asking.stages.end() && left_out(*stage, asking)) ++stage;
  return stage;
}

void run_stages(Asking& asking) {
  const StageIterator end = asking.stages.end();
  StageIterator stage = next_that_runs(asking.stages.begin(), asking);
  while (stage != end) {
    const std::string_view record = stage->record;
    const auto run_record = [&] {
      do {
        stage->run(asking);
        stage = next_that_runs(stage + 1, asking);
      } while (stage != end && stage->record == record);
    };
    if (record.empty())
      run_record();
    else
      asking.trace.stage(record, run_record);
  }
}

// Stages do not overlap, so that what is left of the whole is time outside them.
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
      stages_(all_stages(resources_)) {}

Reply Pipeline::run(std::span<const Stage> stages, const Query& query, const TokenSink& stream, Trace trace) {
  Asking asking(read_question(query.text, resources_.laws), query, stages, stream, std::move(trace),
                options_.deadline_ms);
  run_stages(asking);
  asking.embedder.reset();
  resources_.models.unload_idle();
  asking.reply.memory = memory_peak(asking.trace, options_.measure_pss);
  asking.reply.timings = timings_of(asking.trace);
  return std::move(asking.reply);
}

}  // namespace frugal
