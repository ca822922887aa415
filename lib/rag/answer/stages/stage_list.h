// The stages that a question passes, in their order: the pipeline's list. One line a stage: NAME is made by
// NAME_stage(), which NAME_stage.cpp in this folder defines.
#pragma once

#include <vector>

#include "rag/answer/stage.h"

// clang-format off
#define FRUGAL_STAGES(STAGE)                                                                                       \
  STAGE(recall)      /* the answer that was given before */                                                        \
  STAGE(hyde)        /* a passage to search with */                                                                \
  STAGE(embed)       /* the vector to search with */                                                               \
  STAGE(dense)       /* a list by vectors */                                                                       \
  STAGE(sparse)      /* a list by words */                                                                         \
  STAGE(fuse)        /* one ranking of both */                                                                     \
  STAGE(references)  /* chunks that bear a named article come first, other articles go */                          \
  STAGE(rerank)      /* the ranking judged again */                                                                \
  STAGE(texts)       /* hits with their texts */                                                                   \
  STAGE(answer)      /* a quote, a written answer with citations, or an abstention */                              \
  STAGE(show)        /* as many hits as were asked for */                                                          \
  STAGE(keep)        /* the answer, for the next time */
// clang-format on

namespace frugal {

#define FRUGAL_DECLARE_STAGE(name) Stage name##_stage(const Resources& resources);
FRUGAL_STAGES(FRUGAL_DECLARE_STAGE)
#undef FRUGAL_DECLARE_STAGE

/// The whole list. Each stage says for itself whether it is off with these resources, which it borrows.
inline std::vector<Stage> all_stages(const Resources& resources) {
#define FRUGAL_MAKE_STAGE(name) name##_stage(resources),
  return {FRUGAL_STAGES(FRUGAL_MAKE_STAGE)};
#undef FRUGAL_MAKE_STAGE
}

}  // namespace frugal
