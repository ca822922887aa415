// Gemma 3 (Gemma Team 2025): five layers of six see a window, and have rotary positions of their own; the queries and
// keys of each head are normalised. Of a checkpoint that reads images, too, the language model.
#include "model/trunks/gemma_decoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  GemmaVariant variant;
  variant.full_every = 6;
  variant.context = 131072;
  variant.head_norms = true;
  variant.full_rope = {{"rope_theta", "rope.freq_base"}, 1e6, "full_attention", true};
  variant.window_rope = {{"rope_local_base_freq", "rope.freq_base_swa"}, 10000, "sliding_attention", false};
  variant.layers_scaled_by_hidden = 62;  // Gemma 3 27B
  if (checkpoint.format() != "gguf" && checkpoint.architecture() == "gemma3") {
    variant.config_prefix = "text_config.";
    variant.tensor_prefixes = {"model.language_model.", "language_model.model."};
  }
  return plan_gemma_decoder(checkpoint, variant);
}

// GGUF's name is that of the model with images in Hugging Face's folders.
constexpr std::string_view kAliases[] = {"gemma3_text", "gemma3"};

}  // namespace

extern const Architecture kGemma3Architecture{"gemma3", kAliases, ModelKind::decoder, plan, open_gemma_decoder};

}  // namespace frugal
