// Stores the reply in the cache, where recall finds it.
#include "rag/answer/stages/stage_list.h"
#include "rag/guard/question_form.h"

namespace frugal {

Stage keep_stage(const Resources& resources) {
  // A reply that the deadline cut short is not stored, nor one for which a remote failed: the same question with more
  // time, or with the remote, has a better one.
  return {.name = "keep",
          .run =
              [&resources](QuestionState& state) {
                if (!state.reply.cut_short && state.reply.fallbacks.empty())
                  resources.answers->put(state.key, read_form(state.question.text, resources.laws).signature(),
                                         state.reply);
                if (state.reply.cache_note.empty()) state.reply.cache_note = resources.answers->away();
              },
          .off = resources.answers ? "" : "no cache",
          .record = "cache",
          .report_off = reported_elsewhere};  // Reply::cache
}

}  // namespace frugal
