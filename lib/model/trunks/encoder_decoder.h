// The part of a forward pass that T5 and BART share: checks of the input, the caches, the logits. An architecture
// derives from it and computes the layers. A model of images has one as its language side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "compute/ops/ops.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/nn/seq2seq.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

class EncoderDecoder : public Seq2Seq {
 public:
  int64_t vocab_size() const final { return vocab_; }
  int64_t max_source_tokens() const final { return sizes_.source; }
  int64_t max_target_tokens() const final { return sizes_.target; }
  const Tokenizer& tokenizer() const final { return *tokenizer_; }
  const Seq2SeqSettings& settings() const final { return settings_; }
  std::string identity() const final { return identity_; }

  BeamCache encode(std::span<const TokenId> ids, int64_t beams, int64_t capacity, Budget& budget, KvType type) final;
  /// As encode(), for a source in which some rows stand for no tokens, such as those of an image. x: [rows, hidden],
  /// rows as those of embed_source(); overwritten. check_source() must have accepted their number.
  BeamCache encode_rows(View x, int64_t beams, int64_t capacity, Budget& budget, KvType type);
  /// x [ids, hidden] becomes the encoder's input for tokens of the vocabulary.
  virtual void embed_source(std::span<const TokenId> ids, View x) const = 0;
  /// Throws Error(bad_input) if the model cannot read a source of this many rows.
  void check_source(int64_t rows) const;
  int64_t hidden() const { return hidden_; }
  void decode(std::span<const TokenId> ids, BeamCache& cache, std::span<float> logits) final;

 protected:
  /// Limits in tokens. `source` is what the model was made for, `readable` what it can compute.
  struct Sizes {
    int64_t source = 0, readable = 0, target = 0;
  };
  /// The shape of the decoder's keys and values, which need not be that of the encoder's.
  struct DecoderShape {
    int64_t layers = 0, heads = 0, head_dim = 0;
  };
  /// Borrows both.
  EncoderDecoder(const ModelSource& source, Ops& ops, int64_t vocab, int64_t hidden, const Sizes& sizes,
                 const DecoderShape& shape);

  /// The encoder: x [tokens, hidden] becomes its output.
  virtual void run_encoder(View x) const = 0;
  /// Writes keys and values of a decoder layer for the encoder's output x.
  virtual void project_source(int64_t layer, View x, View keys, View values) const = 0;
  /// The decoder: x [ids, hidden] becomes the input of the head, for the next tokens of every text of `cache`.
  virtual void run_decoder(std::span<const TokenId> ids, BeamCache& cache, View x) const = 0;
  virtual const Linear& head() const = 0;

  Ops& ops_;

 private:
  int64_t vocab_, hidden_;
  Sizes sizes_;
  DecoderShape shape_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  Seq2SeqSettings settings_;
  std::string identity_;
};

}  // namespace frugal
