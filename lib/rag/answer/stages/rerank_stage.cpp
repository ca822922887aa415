// The stage stands; the model that would run in it is yet to be trained.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage rerank_stage(const Resources& resources) {
  return {.name = "rerank", .run = {}, .off = resources.options.rerank ? "no reranker configured" : "switched off"};
}

}  // namespace frugal
