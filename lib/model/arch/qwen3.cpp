// Qwen3 (Yang et al. 2025): Llama with a norm of each head of queries and keys.
#include "base/error.h"
#include "model/arch/llama_decoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  if (checkpoint.integer("use_sliding_window").value_or(0) != 0)
    throw Error(Code::bad_input, "'use_sliding_window' is set; layers that see a window are not supported");
  return plan_llama_decoder(checkpoint, {.head_norms = true});
}

constexpr std::string_view kAliases[] = {"qwen3"};

}  // namespace

extern const Architecture kQwen3Architecture{"qwen3", kAliases, ModelKind::decoder, plan, open_llama_decoder};

}  // namespace frugal
