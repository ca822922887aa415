// Searches by the weights that the embedder gives to tokens (learned sparse retrieval). If embed was skipped, there are
// no weights and the list is empty.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {
namespace {

std::string reason_without_weights(const Resources& resources) {
  if (std::string why = dense_off_reason(resources); !why.empty()) return why;
  if (!resources.store.has_weights()) return "the index has no token weights";
  return resources.options.retrieve.learned_weight == 0 ? "switched off" : "";
}

}  // namespace

Stage learned_stage(const Resources& resources) {
  return {.name = "learned",
          .run =
              [&resources](QuestionState& state) {
                if (state.weights.empty()) return;
                state.learned = resources.store.search_learned(state.weights, resources.options.retrieve.candidates,
                                                               state.within());
              },
          .off = reason_without_weights(resources),
          .record = "retrieve",
          .report_off = reported_elsewhere};  // in the absence of its list
}

}  // namespace frugal
