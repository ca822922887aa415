// How chunks are searched for and their lists are weighed. The searching is that of the stages dense, sparse, fuse and
// references (stages/stage_list.h).
#pragma once

#include <cstdint>

#include "rag/answer/query.h"
#include "rag/text/language.h"

namespace frugal {

/// What the dense list weighs against 1 − weight for the sparse one, by the language of the question: an embedder that
/// was trained on English orders Portuguese poorly (docs/design/0008).
struct DenseWeights {
  float english = 0.4f;
  float portuguese = 0.15f;
  float other = 0.2f;
  float of(Language language) const;
};

struct RetrieveOptions {
  bool sparse = true;
  bool references = true;
  Fusion fusion = Fusion::weighted;
  int64_t candidates = 100;  // of each list
  DenseWeights dense_weights;
};

}  // namespace frugal
