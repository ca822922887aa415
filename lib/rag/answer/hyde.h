// Hypothetical document embeddings (HyDE, Gao et al. 2022): the generator writes a passage that might answer the
// question, and the search uses the mean of both vectors. HyDE helps weak retrievers and mostly harms strong ones
// (Weller et al. 2023), so `automatic` leaves it off until it is shown to help with the models in use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/hub/models.h"
#include "rag/reply/reply.h"

namespace frugal {

struct HydeOptions {
  HydeMode mode = HydeMode::automatic;
  int64_t max_new_tokens = 96;
  int64_t timeout_ms = 5000;

  template <typename F>
  void visit(F&& f) {
    f("hyde.mode", mode,
      {"search with a passage that the generator drafts, too: always, never, auto (never, until it is shown to help)"});
    f("hyde.max_new_tokens", max_new_tokens, {"maximum length of the passage in tokens", Range{1, 1 << 20}});
    f("hyde.timeout_ms", timeout_ms,
      {"time limit of the passage in milliseconds; after it the search goes on without one", Range{0, 1e9}});
  }
};

struct HydeResult {
  bool ran = false;
  std::string reason;   // why it ran or did not run, for Reply::hyde_reason
  std::string passage;  // empty unless it ran
};

/// Writes the passage. Does not throw Error: a generator that is missing, fails or takes too long gives a reason.
/// remaining_ms: time left until the deadline of the question; 0: no deadline.
HydeResult write_hyde(std::string_view question, const HydeOptions& options, Models& models, int64_t remaining_ms);

/// The mean of two unit vectors of the same dimension, scaled to unit length; 0 if they are opposite.
std::vector<float> blend(std::span<const float> question, std::span<const float> passage);

}  // namespace frugal
