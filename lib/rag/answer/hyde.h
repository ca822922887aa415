// Options of the expansion of a question, and its engine for an able generator: hypothetical document embeddings (HyDE,
// Gao et al. 2022). The generator writes a passage that might answer the question, and the search uses the mean of both
// vectors. Expansion helps weak retrievers and mostly harms strong ones (Weller et al. 2023), so `automatic` expands
// only where the first search is weak (docs/design/0034).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/setting.h"
#include "model/hub/models.h"
#include "rag/answer/question.h"
#include "rag/feedback/feedback.h"
#include "rag/reply/reply.h"

namespace frugal {

struct HydeOptions {
  StageMode mode = StageMode::automatic;
  int64_t max_new_tokens = 96;
  int64_t timeout_ms = 5000;
  FeedbackOptions feedback;
  /// The first hits of the first search, which stay as they are: those that an answer reads.
  int64_t kept = 5;
  /// With `automatic`, a question whose best hit leads the next by as much, in fused scores of 0 to 1, is not expanded.
  float max_lead = 0.5f;

  template <typename F>
  void visit(F&& f) {
    f("hyde.mode", mode,
      {"search again with more than the question says, a passage that a large generator drafts or words and vectors of "
       "the first hits: auto (where the first search is weak), always, never"});
    f("hyde.max_new_tokens", max_new_tokens, {"maximum length of the drafted passage in tokens", Range{1, 1 << 20}});
    f("hyde.timeout_ms", timeout_ms,
      {"time limit of the drafted passage in milliseconds; after it the first hits are used instead", Range{0, 1e9}});
    f(feedback);
    f("hyde.kept", kept, kInternal);
    f("hyde.max_lead", max_lead, kInternal);
  }
};

struct HydePassage {
  std::string text;     // empty: none was written
  std::string failure;  // why not
};

/// Writes the passage, in the language of the question. Does not throw Error: a generator that is missing, fails or
/// takes too long gives a reason. remaining_ms: time left until the deadline of the question; 0: no deadline.
HydePassage write_hyde(const Question& question, const HydeOptions& options, Models& models, int64_t remaining_ms);

/// The mean of two unit vectors of the same dimension, scaled to unit length; 0 if they are opposite.
std::vector<float> blend(std::span<const float> question, std::span<const float> passage);

}  // namespace frugal
