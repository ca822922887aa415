// The list by words: BM25 over stems of the question's language.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage sparse_stage(const Resources& with) {
  return {.name = "sparse",
          .run =
              [&with](Asking& asking) {
                asking.sparse = with.store.search_sparse({asking.question.text, asking.question.language},
                                                         with.options.retrieve.candidates);
              },
          .off = with.options.retrieve.sparse ? "" : "switched off",
          .record = "retrieve"};
}

}  // namespace frugal
