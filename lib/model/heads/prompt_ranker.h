// A language model that is asked whether a passage meets the requirements of a question, and may answer "yes" or "no",
// as a reader that ranks: Qwen3-Reranker (Zhang et al. 2025). The relevance is the logit of the probability of "yes"
// among the two, the difference of their logits behind the last token of the prompt.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/heads/text_encoder.h"
#include "model/nn/model_source.h"
#include "model/nn/reader.h"
#include "model/nn/tensor_table.h"

namespace frugal {

/// The sizes of the encoder behind a ranker.
struct RankedEncoder {
  int64_t vocab = 0, hidden = 0, tokens = 0;  // tokens: the longest sequence
};

/// Adds the head's tensors and keys ("rank.…") behind those of the encoder. The head is the label of a checkpoint of
/// AutoModelForSequenceClassification, or else two rows of the output layer. Throws Error(bad_input) if the tokenizer
/// has no "yes" or "no", or if there is more than one label.
void plan_prompt_ranker(const Checkpoint& checkpoint, const RankedEncoder& encoder, TensorTable& table,
                        std::map<std::string, std::string>& keys);

/// Borrows `source` and `ops`. `family` begins the identity; vocab: the rows of the encoder's embeddings. Throws as
/// ModelSource does, and what ModelConfig::fail throws.
std::unique_ptr<Reader> make_prompt_ranker(std::string_view family, std::unique_ptr<TextEncoder> encoder, int64_t vocab,
                                           const ModelSource& source, Ops& ops);

}  // namespace frugal
