// Gemma 2 (Gemma Team 2024): every other layer sees a window, and attention scores and logits are bounded.
#include "model/trunks/gemma_decoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  GemmaVariant variant;
  variant.full_every = 2;
  variant.context = 8192;
  variant.soft_caps = true;
  variant.layers_scaled_by_hidden = 46;  // Gemma 2 27B
  return plan_gemma_decoder(checkpoint, variant);
}

constexpr std::string_view kAliases[] = {"gemma2"};

}  // namespace

extern const Architecture kGemma2Architecture{"gemma2", kAliases, ModelKind::decoder, plan, open_gemma_decoder};

}  // namespace frugal
