#include "rag/answer/stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "rag/answer/pipeline.h"

namespace frugal {
namespace {

size_t index_of(std::span<const Stage> stages, std::string_view name) {
  const auto stage = std::find_if(stages.begin(), stages.end(), [&](const Stage& each) { return each.name == name; });
  if (stage == stages.end()) throw Error(Code::internal, fmt::format("no stage is called '{}'", name));
  return static_cast<size_t>(stage - stages.begin());
}

}  // namespace

void report_as_skipped(Reply& reply, const Stage& stage) {
  reply.skipped.push_back(fmt::format("{}: {}", stage.name, stage.off));
}

void reported_elsewhere(Reply&, const Stage&) {}

const Stage& stage_named(std::span<const Stage> stages, std::string_view name) {
  return stages[index_of(stages, name)];
}

void switch_off(std::vector<Stage>& stages, std::string_view name, std::string_view why) {
  Stage& stage = stages[index_of(stages, name)];
  if (stage.off.empty()) stage.off = why;
}

std::string running_stage_names(std::span<const Stage> stages) {
  std::string names;
  for (const Stage& stage : stages)
    if (stage.off.empty()) names += fmt::format("{}{}", names.empty() ? "" : " ", stage.name);
  return names;
}

AnswerMode answer_mode(const Resources& resources) {
  if (resources.options.answer != AnswerMode::automatic) return resources.options.answer;
  const GeneratorSize size = resources.models.generator_size(resources.options.min_generator_parameters);
  return size == GeneratorSize::sufficient ? AnswerMode::generate : AnswerMode::extract;
}

std::string dense_off_reason(const Resources& resources) {
  if (!resources.options.dense) return "switched off";
  return resources.store.embedder_fingerprint().empty() ? "the index has no vectors" : "";
}

void note_fallback(QuestionState& state, FallbackNote note) {
  log(LogLevel::warn, "{}: {}; {} takes its place", note.stage, note.why, note.used);
  state.reply.fallbacks.push_back(std::move(note));
}

QuestionState::QuestionState(Question parsed, ChunkFilter chunk_filter, const Query& query,
                             std::span<const Stage> stage_list, const TokenSink& sink, Trace&& started_trace,
                             int64_t deadline_ms)
    : question(std::move(parsed)),
      filter(std::move(chunk_filter)),
      stages(stage_list),
      stream(sink),
      trace(std::move(started_trace)),
      deadline_ms_(deadline_ms) {
  reply.query = query;
}

bool QuestionState::runs(std::string_view stage) const {
  return std::any_of(stages.begin(), stages.end(),
                     [&](const Stage& each) { return each.name == stage && each.off.empty(); });
}

void QuestionState::skip(const Stage& stage) {
  trace.skip(stage.name, stage.off);
  stage.report_off(reply, stage);
}

bool QuestionState::skip_if_late(std::string_view group) {
  if (group == last_group_) return last_was_late_;
  last_group_ = group;
  last_was_late_ = deadline_ms_ > 0 && trace.now() - began_ >= std::chrono::milliseconds(deadline_ms_);
  if (last_was_late_) {
    reply.skipped.push_back(fmt::format("{}: deadline of {} ms", group, deadline_ms_));
    reply.cut_short = true;
    trace.skip(group, "deadline");
  }
  return last_was_late_;
}

int64_t QuestionState::remaining_ms() const {
  if (deadline_ms_ <= 0) return 0;
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(trace.now() - began_).count();
  return std::max<int64_t>(1, deadline_ms_ - spent);
}

}  // namespace frugal
