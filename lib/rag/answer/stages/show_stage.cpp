// Cuts the hits to as many as were requested; the answer may have read more.
#include <algorithm>

#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage show_stage(const Resources& resources) {
  return {.name = "show",
          .run =
              [&resources](QuestionState& state) {
                std::vector<Hit>& hits = state.reply.hits;
                hits.resize(std::min(hits.size(), static_cast<size_t>(resources.options.top_k)));
              },
          .record = {}};
}

}  // namespace frugal
