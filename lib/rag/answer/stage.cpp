#include "rag/answer/stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "rag/answer/pipeline.h"

namespace frugal {
namespace {

size_t place_of(std::span<const Stage> stages, std::string_view name) {
  const auto stage = std::find_if(stages.begin(), stages.end(), [&](const Stage& each) { return each.name == name; });
  if (stage == stages.end()) throw Error(Code::internal, fmt::format("no stage is called '{}'", name));
  return static_cast<size_t>(stage - stages.begin());
}

}  // namespace

void list_as_skipped(Reply& reply, const Stage& stage) {
  reply.skipped.push_back(fmt::format("{}: {}", stage.name, stage.off));
}

void told_elsewhere(Reply&, const Stage&) {}

const Stage& stage_named(std::span<const Stage> stages, std::string_view name) {
  return stages[place_of(stages, name)];
}

void switch_off(std::vector<Stage>& stages, std::string_view name, std::string_view why) {
  Stage& stage = stages[place_of(stages, name)];
  if (stage.off.empty()) stage.off = why;
}

std::string names_that_run(std::span<const Stage> stages) {
  std::string names;
  for (const Stage& stage : stages)
    if (stage.off.empty()) names += fmt::format("{}{}", names.empty() ? "" : " ", stage.name);
  return names;
}

AnswerMode answer_mode(const Resources& with) {
  if (with.options.answer != AnswerMode::automatic) return with.options.answer;
  return with.models.generator_parameters() >= with.options.min_generator_parameters ? AnswerMode::generate
                                                                                     : AnswerMode::extract;
}

std::string why_no_dense(const Resources& with) {
  if (!with.options.dense) return "switched off";
  return with.store.embedder_fingerprint().empty() ? "the index has no vectors" : "";
}

Asking::Asking(Question read, const Query& query, std::span<const Stage> on_its_way, const TokenSink& sink,
               Trace&& begun, int64_t deadline_ms)
    : question(std::move(read)), stages(on_its_way), stream(sink), trace(std::move(begun)), deadline_ms_(deadline_ms) {
  reply.query = query;
}

bool Asking::runs(std::string_view stage) const {
  return std::any_of(stages.begin(), stages.end(),
                     [&](const Stage& each) { return each.name == stage && each.off.empty(); });
}

void Asking::skip(const Stage& stage) {
  trace.skip(stage.name, stage.off);
  stage.tell_off(reply, stage);
}

bool Asking::too_late(std::string_view what) {
  if (what == judged_) return judged_late_;
  judged_ = what;
  judged_late_ = deadline_ms_ > 0 && trace.now() - began_ >= std::chrono::milliseconds(deadline_ms_);
  if (judged_late_) {
    reply.skipped.push_back(fmt::format("{}: deadline of {} ms", what, deadline_ms_));
    reply.cut_short = true;
    trace.skip(what, "deadline");
  }
  return judged_late_;
}

int64_t Asking::remaining_ms() const {
  if (deadline_ms_ <= 0) return 0;
  const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(trace.now() - began_).count();
  return std::max<int64_t>(1, deadline_ms_ - spent);
}

}  // namespace frugal
