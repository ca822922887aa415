// Writes a passage that might answer the question (hyde.h); embed makes its vector. A generator that is missing, fails
// or takes too long is reported in Reply::hyde_reason and is not an error.
#include <fmt/format.h>

#include "rag/answer/hyde.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

constexpr std::string_view kNever = "never";
constexpr std::string_view kUnproven = "not yet shown to help with these models";

std::string off_reason(const Resources& resources) {
  if (!resources.options.dense) return "dense retrieval is switched off";
  if (std::string why = dense_off_reason(resources); !why.empty()) return why;
  if (resources.options.hyde.mode == HydeMode::never) return std::string(kNever);
  return std::string(resources.options.hyde.mode == HydeMode::automatic ? kUnproven : "");
}

// Reply::hyde_reason distinguishes an option from a reason to skip HyDE.
void report(Reply& reply, const Stage& stage) {
  if (stage.off == kNever)
    reply.hyde_reason = kNever;
  else if (stage.off == kUnproven)
    reply.hyde_reason = fmt::format("auto: off, {}", kUnproven);
  else
    reply.hyde_reason = "skipped: " + stage.off;
}

void write_passage(QuestionState& state, const Resources& resources) {
  if (state.nothing_passes()) return void(state.reply.hyde_reason = "skipped: no passage passes the filter");
  HydeResult hyde = write_hyde(state.question.text, resources.options.hyde, resources.models, state.remaining_ms());
  state.reply.hyde_ran = hyde.ran;
  state.reply.hyde_reason = std::move(hyde.reason);
  state.passage = std::move(hyde.passage);
}

}  // namespace

Stage hyde_stage(const Resources& resources) {
  return {.name = "hyde",
          .run = [&resources](QuestionState& state) { write_passage(state, resources); },
          .off = off_reason(resources),
          .deadline_group = "embed",
          .report_off = report};
}

}  // namespace frugal
