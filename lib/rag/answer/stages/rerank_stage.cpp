// A placeholder for a reranking model: always off, with the reason that replies report.
#include "rag/answer/pipeline.h"
#include "rag/answer/stages/stage_list.h"

namespace frugal {

Stage rerank_stage(const Resources& resources) {
  return {.name = "rerank", .run = {}, .off = resources.options.rerank ? "no reranker configured" : "switched off"};
}

}  // namespace frugal
