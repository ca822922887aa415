// RoBERTa (Liu et al. 2019) and XLM-RoBERTa (Conneau et al. 2020): BERT's encoder with positions behind that of the
// padding token, and one type of tokens. As a sentence embedder (multilingual-e5; BGE-M3 with its three heads), and
// with the head of AutoModelForSequenceClassification as a ranker (bge-reranker).
#include <utility>

#include "model/heads/encoder_embedder.h"
#include "model/heads/encoder_ranker.h"
#include "model/heads/token_heads.h"
#include "model/nn/architecture.h"
#include "model/trunks/bert_encoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig config = plan_roberta_encoder(checkpoint, table, plan.config);
  plan.tensors = std::move(table).take();
  plan_encoder_embedder(checkpoint, config.hidden, config.positions, plan);
  plan_token_heads(checkpoint, config.hidden, plan);
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return make_encoder_embedder("roberta", std::make_unique<BertEncoder>(source, ops), source, ops);
}

ModelPlan plan_ranker(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig config = plan_roberta_encoder(checkpoint, table, plan.config);
  plan_rank_head(checkpoint,
                 {.dense = "classifier.dense", .activation = "tanh", .norm = "", .label = "classifier.out_proj"},
                 config.hidden, config.positions, table, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open_ranker(const ModelSource& source, Ops& ops) {
  return make_encoder_ranker("roberta-ranker", std::make_unique<BertEncoder>(source, ops), source, ops);
}

constexpr std::string_view kAliases[] = {"roberta", "xlm-roberta", "camembert"};
constexpr std::string_view kRankerAliases[] = {
    "RobertaForSequenceClassification", "XLMRobertaForSequenceClassification", "CamembertForSequenceClassification"};

}  // namespace

extern const Architecture kRobertaArchitecture{"roberta", kAliases, ModelKind::embedder, plan, open};
extern const Architecture kRobertaRankerArchitecture{"roberta-ranker", kRankerAliases, ModelKind::reader, plan_ranker,
                                                     open_ranker};

}  // namespace frugal
