// Llama (Touvron et al. 2023), and models that copied it, such as SmolLM2.
#include "model/trunks/llama_decoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  return plan_llama_decoder(checkpoint, {.gguf_permutes = true});
}

constexpr std::string_view kAliases[] = {"llama"};

}  // namespace

extern const Architecture kLlamaArchitecture{"llama", kAliases, ModelKind::decoder, plan, open_llama_decoder};

}  // namespace frugal
