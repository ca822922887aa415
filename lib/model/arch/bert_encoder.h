// The encoder of BERT (Devlin et al. 2018): post-norm, bidirectional, learned positions. bert.cpp makes an embedder of
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

/// Sequences that are encoded together, without padding.
struct BertBatch {
  std::vector<int32_t> ids, positions, types;
  std::vector<AttentionSpan> spans;

  /// Adds a sequence whose tokens from `second` on are of type 1, those of the second text of a pair.
  void append(std::span<const TokenId> sequence, size_t second);
};

class BertEncoder {
 public:
  /// Borrows both. Throws as ModelSource does, and what ModelConfig::fail throws.
  BertEncoder(const ModelSource& source, Ops& ops);

  const BertConfig& config() const { return config_; }
  /// Throws Error(corrupt_file) for an id outside the vocabulary, and Error(bad_input) if there are no ids, or more
  /// than the model has positions.
  void check_ids(std::span<const TokenId> ids) const;
  /// The input of the first layer, [tokens, hidden], in the caller's scope.
  View embed(const BertBatch& batch) const;
  /// Layers [first, last). x: [tokens of all spans, hidden], updated in place.
  void run(std::span<const AttentionSpan> spans, View x, int64_t first, int64_t last) const;
  /// The output of a layer for the first token of each span. x: its input, unchanged. firsts: [spans, hidden].
  void run_firsts(std::span<const AttentionSpan> spans, View x, int64_t layer, View firsts) const;

 private:
  Ops& ops_;
  BertConfig config_;
  std::filesystem::path file_;  // for errors
  EmbeddingTable words_, positions_, types_;
  NormSpec norm_;
  std::vector<BertLayer> layers_;
};

/// Tensors of a checkpoint by their names in packs, in Hugging Face folders (with or without the prefix "bert.") and in
/// GGUF files.
TensorTable bert_names();
/// Reads the encoder's configuration, and adds its keys ("bert.…") and its tensors. Throws Error(bad_input).
BertConfig plan_bert_encoder(const Checkpoint& checkpoint, TensorTable& table,
                             std::map<std::string, std::string>& keys);

}  // namespace frugal
