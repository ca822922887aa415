// The list by vectors: cosine with the question's, where embed made one.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage dense_stage(const Resources& resources) {
  return {.name = "dense",
          .run =
              [&resources](Asking& asking) {
                if (asking.vector.empty()) return;
                asking.dense = resources.store.search_dense(asking.vector, resources.options.retrieve.candidates);
              },
          .off = dense_off_reason(resources),
          .record = "retrieve"};
}

}  // namespace frugal
