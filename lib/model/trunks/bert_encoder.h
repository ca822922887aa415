// The encoder of BERT (Devlin et al. 2018): post-norm, bidirectional, learned positions. RoBERTa's differs in its
// positions alone, which begin behind that of the padding token. bert.cpp and roberta.cpp make embedders and rankers of
// it, bert_reader.cpp a reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/heads/text_encoder.h"
#include "model/nn/blocks.h"
#include "model/nn/hyper_field.h"
#include "model/nn/model_source.h"
#include "model/nn/tensor_table.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

struct BertConfig {
  int64_t layers, hidden, heads, intermediate, positions, vocab, types;
  double epsilon;
  std::string activation;
};

/// Post-norm encoder block. x: [tokens, hidden], updated in place.
class BertLayer {
 public:
  BertLayer(const WeightLoader& load, const BertConfig& config, int64_t index);
  void forward(Ops& ops, std::span<const AttentionSpan> spans, View x) const;
  /// The block's output for the first token of each span alone, at a fifth of the cost. firsts: [spans, hidden].
  void forward_firsts(Ops& ops, std::span<const AttentionSpan> spans, View x, View firsts) const;

 private:
  void attend(Ops& ops, std::span<const AttentionSpan> spans, View x) const;
  void attend_firsts(Ops& ops, std::span<const AttentionSpan> spans, View x, View firsts) const;
  void finish(Ops& ops, View x) const;
  void feed_forward(Ops& ops, View x) const;

  LinearGroup qkv_, kv_;
  Linear q_, out_, up_, down_;
  NormSpec norm1_, norm2_;
  AttentionSpec attention_;
};

class BertEncoder final : public TextEncoder {
 public:
  /// Borrows both. Throws as ModelSource does, and what ModelConfig::fail throws.
  BertEncoder(const ModelSource& source, Ops& ops);

  const BertConfig& config() const { return config_; }
  int64_t hidden() const override { return config_.hidden; }
  int64_t max_tokens() const override { return config_.positions - first_position_; }
  bool has_types() const override { return config_.types > 1; }
  void check_ids(std::span<const TokenId> ids) const override;
  View encode(const TokenBatch& batch) override;
  View encode_firsts(const TokenBatch& batch) override;

  /// The input of the first layer, [tokens, hidden], in the caller's scope.
  View embed(const TokenBatch& batch) const;
  /// Layers [first, last). x: [tokens of all spans, hidden], updated in place.
  void run(std::span<const AttentionSpan> spans, View x, int64_t first, int64_t last) const;
  /// The output of a layer for the first token of each span. x: its input, unchanged. firsts: [spans, hidden].
  void run_firsts(std::span<const AttentionSpan> spans, View x, int64_t layer, View firsts) const;

 private:
  Ops& ops_;
  BertConfig config_;
  int64_t first_position_;      // row of the table of positions that the first token of a sequence has
  std::filesystem::path file_;  // for errors
  EmbeddingTable words_, positions_, types_;
  NormSpec norm_;
  std::vector<BertLayer> layers_;
};

/// Tensors of a checkpoint by their names in packs, in Hugging Face folders (with or without the prefix "bert." or
/// "roberta.") and in GGUF files.
TensorTable bert_names();
/// Reads the encoder's configuration, and adds its keys ("bert.…") and its tensors. Throws Error(bad_input).
BertConfig plan_bert_encoder(const Checkpoint& checkpoint, TensorTable& table,
                             std::map<std::string, std::string>& keys);
/// As plan_bert_encoder(), with positions from that of the padding token + 1 on. `positions` of the result are those
/// that are left for tokens.
BertConfig plan_roberta_encoder(const Checkpoint& checkpoint, TensorTable& table,
                                std::map<std::string, std::string>& keys);

}  // namespace frugal
