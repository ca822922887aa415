// Qwen3 (Yang et al. 2025): Llama with a norm of each head of queries and keys. As a decoder; as a sentence embedder
// with the last token's state (Qwen3-Embedding, Zhang et al. 2025); and as a ranker (Qwen3-Reranker).
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "model/heads/encoder_embedder.h"
#include "model/heads/prompt_ranker.h"
#include "model/nn/architecture.h"
#include "model/trunks/llama_decoder.h"
#include "model/trunks/llama_encoder.h"

namespace frugal {
namespace {

LlamaVariant variant_of(const Checkpoint& checkpoint) {
  if (checkpoint.integer("use_sliding_window").value_or(0) != 0)
    throw Error(Code::bad_input, "'use_sliding_window' is set; layers that see a window are not supported");
  return {.head_norms = true};
}

ModelPlan plan(const Checkpoint& checkpoint) {
  return plan_llama_decoder(checkpoint, variant_of(checkpoint));
}

ModelPlan plan_embedder(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = llama_encoder_names();
  const LlamaConfig config = plan_llama_encoder(checkpoint, variant_of(checkpoint), table, plan.config);
  plan.tensors = std::move(table).take();
  plan_encoder_embedder(checkpoint, config.hidden, config.context, plan, "last");
  return plan;
}

std::unique_ptr<Model> open_embedder(const ModelSource& source, Ops& ops) {
  return make_encoder_embedder("qwen3", std::make_unique<LlamaEncoder>(source, ops), source, ops);
}

ModelPlan plan_ranker(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = llama_encoder_names();
  const LlamaConfig config = plan_llama_encoder(checkpoint, variant_of(checkpoint), table, plan.config);
  plan_prompt_ranker(checkpoint, {config.vocab, config.hidden, config.context}, table, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open_ranker(const ModelSource& source, Ops& ops) {
  auto encoder = std::make_unique<LlamaEncoder>(source, ops);
  const int64_t vocab = encoder->vocab();
  return make_prompt_ranker("qwen3-ranker", std::move(encoder), vocab, source, ops);
}

constexpr std::string_view kAliases[] = {"qwen3"};
constexpr std::string_view kEmbedderAliases[] = {"qwen3", "Qwen3Model"};
constexpr std::string_view kRankerAliases[] = {"qwen3", "Qwen3ForSequenceClassification"};

}  // namespace

extern const Architecture kQwen3Architecture{"qwen3", kAliases, ModelKind::decoder, plan, open_llama_decoder};
extern const Architecture kQwen3EmbedderArchitecture{"qwen3-embedder", kEmbedderAliases, ModelKind::embedder,
                                                     plan_embedder, open_embedder};
extern const Architecture kQwen3RankerArchitecture{"qwen3-ranker", kRankerAliases, ModelKind::reader, plan_ranker,
                                                   open_ranker};

}  // namespace frugal
