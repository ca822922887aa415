// The stages of the pipeline, in order. To add one, add a line here and define NAME_stage() in NAME_stage.cpp in this
// folder.
#pragma once

#include <vector>

#include "rag/answer/stage.h"

// clang-format off
#define FRUGAL_STAGES(STAGE)                                                                                       \
  STAGE(recall)      /* looks the answer up in the cache */                                                        \
  STAGE(select)      /* finds the chunks that pass the question's filter */                                        \
  STAGE(embed)       /* makes the question's vector */                                                             \
  STAGE(dense)       /* searches by vectors */                                                                     \
  STAGE(sparse)      /* searches by words */                                                                       \
  STAGE(learned)     /* searches by the weights of tokens */                                                       \
  STAGE(fuse)        /* makes one ranking of the lists */                                                          \
  STAGE(hyde)        /* searches again with more than the question says, where the first search is weak */         \
  STAGE(references)  /* puts chunks of a named article first, or removes neighbouring articles */                  \
  STAGE(match)       /* answers as the cache did to another question that asks the same */                         \
  STAGE(maxsim)      /* reorders the first candidates by the vectors of their tokens */                            \
  STAGE(rerank)      /* reorders the first candidates by a model */                                                \
  STAGE(texts)       /* fetches the texts of the best candidates */                                                \
  STAGE(images)      /* searches the images of the index */                                                        \
  STAGE(answer)      /* quotes, generates with citations, or abstains */                                           \
  STAGE(show)        /* keeps as many hits as were requested */                                                    \
  STAGE(keep)        /* stores the answer in the cache */
// clang-format on

namespace frugal {

#define FRUGAL_DECLARE_STAGE(name) Stage name##_stage(const Resources& resources);
FRUGAL_STAGES(FRUGAL_DECLARE_STAGE)
#undef FRUGAL_DECLARE_STAGE

/// All stages. Each determines from `resources`, which it borrows, whether it is off.
inline std::vector<Stage> all_stages(const Resources& resources) {
#define FRUGAL_MAKE_STAGE(name) name##_stage(resources),
  return {FRUGAL_STAGES(FRUGAL_MAKE_STAGE)};
#undef FRUGAL_MAKE_STAGE
}

}  // namespace frugal
