// An encoder with the head of AutoModelForSequenceClassification and one label, as a reader that ranks passages and
// finds no answers in them: the cross-encoders of ms-marco-MiniLM, bge-reranker, Ettin. The relevance is the logit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "model/format/checkpoint.h"
#include "model/heads/text_encoder.h"
#include "model/nn/model_source.h"
#include "model/nn/reader.h"
#include "model/nn/tensor_table.h"

namespace frugal {

/// The layers of a head by their names in a Hugging Face folder: a dense layer with an activation, a norm without bias,
/// the label. Names in the pack are the same for all.
struct RankHeadPlan {
  std::string_view dense;
  TensorTable::Bias dense_bias = TensorTable::Bias::required;
  std::string activation;
  std::string_view norm;  // empty: none
  std::string_view label;
  Pooling pooling = Pooling::cls;
};

/// Adds the head's tensors and its keys ("rank.…"). tokens: the longest sequence of the encoder. Throws
/// Error(bad_input) if the head has more than one label.
void plan_rank_head(const Checkpoint& checkpoint, const RankHeadPlan& head, int64_t hidden, int64_t tokens,
                    TensorTable& table, std::map<std::string, std::string>& keys);

/// Borrows `source` and `ops`. `family` begins the identity. Throws as ModelSource does, and what ModelConfig::fail
/// throws.
std::unique_ptr<Reader> make_encoder_ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder,
                                            const ModelSource& source, Ops& ops);

}  // namespace frugal
