// Searches by words: BM25 over the stems of the question's language.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage sparse_stage(const Resources& resources) {
  return {.name = "sparse",
          .run =
              [&resources](Asking& asking) {
                asking.sparse = resources.store.search_sparse({asking.question.text, asking.question.language},
                                                              resources.options.retrieve.candidates);
              },
          .off = resources.options.retrieve.sparse ? "" : "switched off",
          .record = "retrieve"};
}

}  // namespace frugal
