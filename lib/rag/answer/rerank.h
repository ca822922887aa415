// Options of the stages that reorder the first candidates: with a reader (stages/rerank_stage.cpp), or by the vectors
// of their tokens (stages/maxsim_stage.cpp).
#pragma once

#include <cstdint>

#include "base/setting.h"
#include "rag/reply/reply.h"

namespace frugal {

struct RerankOptions {
  StageMode mode = StageMode::automatic;
  int64_t candidates = 20;
  int64_t read = 5;
  int64_t budget_ms = 0;
  int64_t maxsim = 0;
  /// Weight of a candidate's fused score in the ranking, in logits of relevance for each standard deviation of the
  /// candidates' scores; and in the choice of the passage that answers.
  float prior = 3, answer_prior = 1;
  /// The relevance, in logits, that no candidate far behind is expected to exceed: ranking ends where one of that
  /// relevance would not be read.
  float ceiling = 1;

  template <typename F>
  void visit(F&& f) {
    f("rerank.mode", mode,
      {"reorder the first hits with the reader, if models.reader names one: auto (where an answer is read from them, "
       "not "
       "with --answer none), always, never"});
    f("rerank.candidates", candidates, {"hits that the reader ranks, with half of its layers", Range{1, 1000}});
    f("rerank.read", read, {"hits, best first, that the reader then reads with all of its layers", Range{1, 1000}});
    f("rerank.budget_ms", budget_ms,
      {"time limit of reranking in milliseconds: hits that are not read by then keep their order; 0: none",
       Range{0, 1e9}});
    f("rerank.maxsim", maxsim,
      {"hits to reorder by late interaction (MaxSim) of the question's tokens with theirs, which the embedder computes "
       "for each question; before the reader; 0: off. Only for an embedder with vectors of tokens (BGE-M3)",
       Range{0, 1000}});
    f("rerank.prior", prior, kInternal);
    f("rerank.answer_prior", answer_prior, kInternal);
    f("rerank.ceiling", ceiling, kInternal);
  }
};

}  // namespace frugal
