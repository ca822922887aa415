// Options of the stages that search and rank: dense, sparse, learned, fuse and references (stages/stage_list.h).
#pragma once

#include <cstdint>

#include "base/setting.h"
#include "rag/reply/reply.h"
#include "rag/text/language.h"

namespace frugal {

/// The weight of the dense list by the language of the question; the sparse list has 1 − weight. The defaults are those
/// of the default embedder; an embedder trained on English ranks Portuguese poorly (docs/design/0008).
struct DenseWeights {
  float english = 0.45f;
  float portuguese = 0.5f;
  float other = 0.45f;
  float of(Language language) const;

  template <typename F>
  void visit(F&& f) {
    f("retrieval.dense_weight.en", english,
      {"weight of the dense list for questions in English, 0 to 1; the sparse list has the rest", {0, 1}});
    f("retrieval.dense_weight.pt", portuguese, {"the same for questions in Portuguese", {0, 1}});
    f("retrieval.dense_weight.other", other, {"the same for questions in other languages", {0, 1}});
  }
};

struct RetrieveOptions {
  bool sparse = true;
  bool references = true;
  Fusion fusion = Fusion::weighted;
  int64_t candidates = 100;  // length of each list
  DenseWeights dense_weights;
  /// As BGE-M3's authors weigh their lists, one of vectors with 1 and one of token weights with 0.3.
  float learned_weight = 0.3f;

  template <typename F>
  void visit(F&& f) {
    f("retrieval.sparse", sparse, {"search by words (BM25)"});
    f("retrieval.references", references, kInternal);
    f("retrieval.fusion", fusion,
      {"how both lists become one: weighted (weighted sum of min-max-normalised scores) or rrf (reciprocal ranks, Σ "
       "w/(60+rank))"});
    f(dense_weights);
    f("retrieval.learned_weight", learned_weight,
      {"weight of the list by token weights (learned sparse), as a multiple of the dense list's; 0: off. Only for an "
       "index whose embedder has them (BGE-M3)",
       Range{0, 100}});
    f("retrieval.candidates", candidates, {"chunks to retrieve by each list", Range{1, 1e6}});
  }
};

}  // namespace frugal
