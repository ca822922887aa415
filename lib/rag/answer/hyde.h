// Hypothetical document embeddings (Gao et al. 2022): a passage that might answer the question, embedded beside it.
// The question itself always stays in the probe. It helps weak retrievers and mostly harms strong ones (Weller et al.
// 2023), so `automatic` stays off until it has been shown where it helps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/hub/models.h"
#include "rag/answer/query.h"

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
  std::string reason;   // why it ran or did not
  std::string passage;  // empty unless it ran
};

/// Writes the passage. A generator that is missing, fails or takes too long is a reason, not an error. remaining_ms: of
/// the question's deadline; 0: none.
HydeResult write_hyde(std::string_view question, const HydeOptions& options, Models& models, int64_t remaining_ms);

/// Unit vector half way between question and passage, both unit vectors of the same length.
std::vector<float> blend(std::span<const float> question, std::span<const float> passage);

}  // namespace frugal
