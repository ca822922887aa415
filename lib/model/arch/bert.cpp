// BERT (Devlin et al. 2018) as a sentence embedder, and with the head of AutoModelForSequenceClassification as a ranker
// (ms-marco-MiniLM).
#include <utility>

#include "model/heads/encoder_embedder.h"
#include "model/heads/encoder_ranker.h"
#include "model/nn/architecture.h"
#include "model/trunks/bert_encoder.h"

namespace frugal {
namespace {

ModelPlan plan(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig config = plan_bert_encoder(checkpoint, table, plan.config);
  plan.tensors = std::move(table).take();
  plan_encoder_embedder(checkpoint, config.hidden, config.positions, plan);
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return make_encoder_embedder("bert", std::make_unique<BertEncoder>(source, ops), source, ops);
}

ModelPlan plan_ranker(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = bert_names();
  const BertConfig config = plan_bert_encoder(checkpoint, table, plan.config);
  plan_rank_head(checkpoint, {.dense = "pooler.dense", .activation = "tanh", .norm = "", .label = "classifier"},
                 config.hidden, config.positions, table, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open_ranker(const ModelSource& source, Ops& ops) {
  return make_encoder_ranker("bert-ranker", std::make_unique<BertEncoder>(source, ops), source, ops);
}

constexpr std::string_view kAliases[] = {"bert"};
constexpr std::string_view kRankerAliases[] = {"BertForSequenceClassification"};

}  // namespace

extern const Architecture kBertArchitecture{"bert", kAliases, ModelKind::embedder, plan, open};
extern const Architecture kBertRankerArchitecture{"bert-ranker", kRankerAliases, ModelKind::reader, plan_ranker,
                                                  open_ranker};

}  // namespace frugal
