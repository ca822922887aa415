// A passage that might answer the question, for embed to search with beside it (hyde.h). A generator that is missing,
// fails or takes too long is a reason in the reply, not an error.
#include <fmt/format.h>

#include "rag/answer/hyde.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

constexpr std::string_view kNever = "never";
constexpr std::string_view kUnproven = "not yet shown to help with these models";

std::string why_off(const Resources& with) {
  if (!with.options.dense) return "dense retrieval is switched off";
  if (std::string why = why_no_dense(with); !why.empty()) return why;
  if (with.options.hyde.mode == HydeMode::never) return std::string(kNever);
  return std::string(with.options.hyde.mode == HydeMode::automatic ? kUnproven : "");
}

// In the words of Reply::hyde_reason, which also say how it was decided.
void tell(Reply& reply, const Stage& stage) {
  if (stage.off == kNever)
    reply.hyde_reason = kNever;
  else if (stage.off == kUnproven)
    reply.hyde_reason = fmt::format("auto: off, {}", kUnproven);
  else
    reply.hyde_reason = "skipped: " + stage.off;
}

void write_passage(Asking& asking, const Resources& with) {
  HydeResult hyde = write_hyde(asking.question.text, with.options.hyde, with.models, asking.remaining_ms());
  asking.reply.hyde_ran = hyde.ran;
  asking.reply.hyde_reason = std::move(hyde.reason);
  asking.passage = std::move(hyde.passage);
}

}  // namespace

Stage hyde_stage(const Resources& with) {
  return {.name = "hyde",
          .run = [&with](Asking& asking) { write_passage(asking, with); },
          .off = why_off(with),
          .late = "embed",
          .tell_off = tell};
}

}  // namespace frugal
