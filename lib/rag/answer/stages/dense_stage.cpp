// The list by vectors: cosine with the question's, where embed made one.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage dense_stage(const Resources& with) {
  return {.name = "dense",
          .run =
              [&with](Asking& asking) {
                if (asking.vector.empty()) return;
                asking.dense = with.store.search_dense(asking.vector, with.options.retrieve.candidates);
              },
          .off = why_no_dense(with),
          .record = "retrieve"};
}

}  // namespace frugal
