// Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases of queries, keys and values.
#include "base/error.h"
#include "model/trunks/llama_decoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  if (checkpoint.integer("use_sliding_window").value_or(0) != 0)
    throw Error(Code::bad_input, "'use_sliding_window' is set; layers that see a window are not supported");
  return plan_llama_decoder(checkpoint, {});
}

constexpr std::string_view kAliases[] = {"qwen2"};

}  // namespace

extern const Architecture kQwen2Architecture{"qwen2", kAliases, ModelKind::decoder, plan, open_llama_decoder};

}  // namespace frugal
