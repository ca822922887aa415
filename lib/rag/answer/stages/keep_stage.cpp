// What recall will find the next time.
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage keep_stage(const Resources& with) {
  // A reply that the deadline cut short is not the answer to the question, only to the hurry.
  return {.name = "keep",
          .run =
              [&with](Asking& asking) {
                if (!asking.reply.cut_short) with.answers->put(asking.key, asking.reply);
              },
          .off = with.answers ? "" : "no cache",
          .record = "cache",
          .tell_off = told_elsewhere};  // Reply::cache
}

}  // namespace frugal
