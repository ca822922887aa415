// Searches by words: BM25 over the stems of the question's language.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage sparse_stage(const Resources& resources) {
  return {.name = "sparse",
          .run =
              [&resources](QuestionState& state) {
                state.sparse = resources.store.search_sparse(
                    {.text = state.question.text, .language = state.question.language, .within = state.within()},
                    resources.options.retrieve.candidates);
              },
          .off = resources.options.retrieve.sparse ? "" : "switched off",
          .record = "retrieve"};
}

}  // namespace frugal
