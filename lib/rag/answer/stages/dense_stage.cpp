// Searches by vectors: cosine with the question's vector. If embed was skipped, there is no vector and the list is
// empty. If the vectors are on a server that does not answer, words alone are searched, and the reply says so.
#include "base/error.h"
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"
#include "rag/evidence/evidence.h"

namespace frugal {
namespace {

void search_chunks(QuestionState& state, const Resources& resources) {
  if (state.vector.empty()) return;
  try {
    state.dense = resources.store.search_dense(state.vector, resources.options.retrieve.candidates, state.within());
    state.background = background_cosine(state.dense);
  } catch (const Error& error) {
    if (error.code() != Code::remote || !state.runs("sparse")) throw;
    state.vector.clear();  // so that no later stage asks that server again
    note_fallback(state, {"dense", "vectors", error.message(), "search by words"});
  }
}

}  // namespace

Stage dense_stage(const Resources& resources) {
  return {.name = "dense",
          .run = [&resources](QuestionState& state) { search_chunks(state, resources); },
          .off = dense_off_reason(resources),
          .record = "retrieve"};
}

}  // namespace frugal
