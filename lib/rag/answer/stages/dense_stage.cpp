// Searches by vectors: cosine with the question's vector. If embed was skipped, there is no vector and the list is
// empty.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/evidence/evidence.h"

namespace frugal {

Stage dense_stage(const Resources& resources) {
  return {.name = "dense",
          .run =
              [&resources](QuestionState& state) {
                if (state.vector.empty()) return;
                state.dense =
                    resources.store.search_dense(state.vector, resources.options.retrieve.candidates, state.within());
                state.background = background_cosine(state.dense);
              },
          .off = dense_off_reason(resources),
          .record = "retrieve"};
}

}  // namespace frugal
