// Resolves the filter of the question to the chunks that pass it, before any search. A question without a filter takes
// no time here, and the searches cover all chunks.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage select_stage(const Resources& resources) {
  return {.name = "select",
          .run =
              [&resources](QuestionState& state) {
                if (state.filter.empty()) return;
                // Timed here, so that the trace of other questions has no second "retrieve".
                state.selected = state.trace.stage("retrieve", [&] { return resources.store.select(state.filter); });
                state.reply.filtered_chunks = static_cast<int64_t>(state.selected->ids().size());
              },
          .record = {}};
}

}  // namespace frugal
